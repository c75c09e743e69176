/** Threads that compress, seal and open: what becomes of a task when its thread ends, and of the process when nothing is left to do. */
import { spawn } from 'node:child_process';
import { hash } from 'node:crypto';
import { once } from 'node:events';
import { pathToFileURL } from 'node:url';
import path from 'node:path';
import { afterEach, describe, expect, test } from '@jest/globals';
import { ItemKey } from '../../dataplane/keys.ts';
import { openSegment } from '../../dataplane/segment/open-segment.ts';
import { readSegment } from '../../dataplane/segment/reader.ts';
import type { ExpectedSegment, SegmentRecord } from '../../dataplane/segment/reader.ts';
import { segmentSlabs, sharedMemory, unitSlabs } from '../../dataplane/threads/slabs.ts';
import { ThreadPool } from '../../dataplane/threads/thread-pool.ts';
import { KiB, MiB } from '../../domain/units.ts';
import { seededRandom } from './support/random.ts';
import { makeSegment } from './support/segments.ts';
import type { Input } from './support/segments.ts';

const random = seededRandom('threads');
const key = new ItemKey(random.bytes(32));
const pools: ThreadPool[] = [];

function startPool(threads: number): ThreadPool {
  const pool = new ThreadPool(threads);
  pools.push(pool);
  return pool;
}

afterEach(async () => {
  for (const pool of pools.splice(0)) await pool.close();
});

/** A segment in shared memory, of a header and a trailer's length at least. */
const body = { body: sharedMemory(Buffer.from(new SharedArrayBuffer(KiB))), bytes: KiB };

describe('a pool of threads', () => {
  test('fails the tasks of a thread that is killed, by their name, and does the next one in another', async () => {
    const pool = startPool(1);
    const tasks = [pool.run('hashWhole', body), pool.run('hashWhole', body), pool.run('hashWhole', body)];
    const [killed] = pool.workers;
    await killed?.terminate();
    const outcomes = await Promise.allSettled(tasks);
    expect(outcomes[0]).toMatchObject({
      status: 'rejected',
      reason: { code: 'DR_INTERNAL', message: expect.stringContaining('hashWhole: its thread ended') },
    });
    // The third one waited for a thread.
    expect(outcomes[2]?.status).toBe('fulfilled');
    await expect(pool.run('hashWhole', body)).resolves.toHaveProperty('whole');
    expect(pool.workers).not.toContain(killed);
  });

  test('says what a task threw, and keeps its thread', async () => {
    const pool = startPool(1);
    const failing = pool.run('packUnit', {
      slab: body.body,
      at: 2 * KiB,
      plainBytes: KiB,
      recordCount: 1,
      level: 1,
      isDoubtful: false,
    });
    await expect(failing).rejects.toThrow(/packUnit: .*bounds/);
    const [thread] = pool.workers;
    await pool.run('hashWhole', body);
    expect(pool.workers).toEqual([thread]);
  });

  test('keeps no process alive', async () => {
    const url = (file: string) => JSON.stringify(pathToFileURL(path.resolve(file)).href);
    const program = `
      const { segmentThreads } = await import(${url('dataplane/threads/thread-pool.ts')});
      const { whole } = await segmentThreads.run('hashWhole', { body: new SharedArrayBuffer(200), bytes: 200 });
      process.stdout.write(whole);`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let printed = '';
    child.stdout.on('data', (part: Buffer) => (printed += part.toString()));
    const [code] = (await once(child, 'close')) as [number];
    expect([code, printed.length]).toEqual([0, 64]);
  });
});

/** What is handed out, or the refusal: opened here, and in threads. */
async function outcomesOf(bytes: Buffer, expected: ExpectedSegment): Promise<[string, string]> {
  return [await outcomeOf(readSegment(bytes, expected)), await outcomeOf(openSegment(bytes, expected))];
}

async function outcomeOf(records: Iterable<SegmentRecord> | AsyncIterable<SegmentRecord>): Promise<string> {
  const seen: string[] = [];
  try {
    for await (const record of records) {
      const { kind, offset, length } = record;
      seen.push(`${kind} ${offset} ${length} ${kind === 'write' ? hash('sha256', record.data) : ''}`);
    }
    return seen.join('\n');
  } catch (error) {
    return String(error);
  }
}

describe('a segment opened in threads', () => {
  const inputs: Input[] = [
    { kind: 'write', offset: 0, data: random.bytes(8 * KiB) },
    { kind: 'zero', offset: MiB, length: MiB },
    { kind: 'write', offset: 4 * MiB, data: Buffer.alloc(2 * KiB, 'some text ') },
  ];
  const { bytes, expected } = makeSegment(key, inputs);

  afterEach(() => {
    expect([segmentSlabs.inUse, unitSlabs.inUse]).toEqual([0, 0]);
  });

  test('hands out the same records in the same order as one opened here', async () => {
    const long = makeSegment(key, [
      ...inputs,
      { kind: 'write', offset: 5 * MiB, data: random.bytes(3 * MiB) },
      { kind: 'write', offset: 8 * MiB, data: Buffer.alloc(2 * MiB, 'text ') },
    ]);
    const [here, there] = await outcomesOf(long.bytes, long.expected);
    expect(there).toBe(here);
    expect(here).toContain('zero');
  });

  test('is refused for the same reason', async () => {
    const other = new ItemKey(random.bytes(32));
    const cases: [Buffer, ExpectedSegment][] = [
      [bytes, { ...expected, key: other }],
      [bytes, { ...expected, capacityBytes: 4 * MiB }],
      [bytes, { ...expected, tail: { ...expected.tail, hash: 'ab'.repeat(32) } }],
      [bytes.subarray(0, random.int(bytes.length)), expected],
      [Buffer.alloc(16 * MiB), expected],
    ];
    for (let count = 0; count < 30; count += 1) {
      const flipped = Buffer.from(bytes);
      const at = random.int(flipped.length);
      flipped[at] = (flipped[at] ?? 0) ^ (1 << random.int(8));
      cases.push([flipped, expected]);
    }
    for (const [index, [spoilt, wanted]] of cases.entries()) {
      const [here, there] = await outcomesOf(spoilt, wanted);
      expect(here).toMatch(/^DrError: /);
      if (index !== 4) expect(there).toBe(here);
      else expect(there).toContain('longer than any segment');
    }
  });

  test('gives its memory back when nobody wants the rest', async () => {
    for await (const record of openSegment(bytes, expected)) {
      expect(record.offset).toBe(0);
      break;
    }
  });
});
