import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { openNbdSink } from '../../dataplane/sink/nbd-sink.ts';
import { KiB, MiB } from '../../domain/units.ts';
import { startNbdServer } from './support/nbd-server.ts';
import type { NbdServer, NbdServerOptions } from './support/nbd-server.ts';
import { seededRandom } from './support/random.ts';

const random = seededRandom('nbd sink');
const never = new AbortController().signal;
const SIZE = 24 * MiB + 512;
const WRITE = 1;
const FLUSH = 3;
const WRITE_ZEROES = 6;
let folder: string;
const servers: NbdServer[] = [];

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'switchback-sink-'));
});

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.stop()));
});

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function serve(options: Partial<NbdServerOptions> = {}) {
  const file = path.join(folder, `disk-${random.int(2 ** 31)}`);
  const content = random.bytes(SIZE);
  await writeFile(file, content);
  const server = await startNbdServer({ file, exportName: 'disk', ...options });
  servers.push(server);
  const nbd = { host: '127.0.0.1', port: server.port, exportName: 'disk', close: () => Promise.resolve() };
  return { file, content, server, nbd };
}

test.each([
  ['writes its zeros by command', undefined, true],
  ['sends zeros to a server that knows no such command', 1 | 4, false],
] as const)('%s; what was flushed is on the disk', async (_title, flags, usesCommand) => {
  const seen = new Set<number>();
  const { file, content, nbd } = await serve({
    ...(flags === undefined ? {} : { flags }),
    disturb: (type) => void seen.add(type),
  });
  const sink = await openNbdSink(nbd, never);
  for (let count = 0; count < 20; count += 1) {
    const offset = random.int(SIZE / 512) * 512;
    const length = Math.min(SIZE - offset, 512 * (1 + random.int((6 * MiB) / 512)));
    if (random.int(3) === 0) {
      await sink.zero(offset, length, never);
      content.fill(0, offset, offset + length);
    } else {
      const bytes = random.bytes(length);
      await sink.write(offset, bytes, never);
      bytes.copy(content, offset);
    }
  }
  await sink.zero(0, 64 * KiB, never);
  content.fill(0, 0, 64 * KiB);
  await sink.flush(never);
  const into = Buffer.alloc(MiB);
  await sink.read(MiB, into, never);
  expect(into.equals(content.subarray(MiB, 2 * MiB))).toBe(true);
  await sink.close();
  expect((await readFile(file)).equals(content)).toBe(true);
  expect([seen.has(WRITE_ZEROES), seen.has(FLUSH)]).toEqual([usesCommand, true]);
});

test('many writes at once are on their way together, within a bound', async () => {
  const { file, content, server, nbd } = await serve();
  const sink = await openNbdSink(nbd, never);
  const blocks = Array.from({ length: 96 }, (_, index) => index * 256 * KiB);
  await Promise.all(
    blocks.map((offset) => {
      const bytes = random.bytes(256 * KiB);
      bytes.copy(content, offset);
      return sink.write(offset, bytes, never);
    }),
  );
  await sink.close();
  expect((await readFile(file)).equals(content)).toBe(true);
  expect(server.inFlightMax()).toBeGreaterThan(1);
  expect(server.inFlightMax()).toBeLessThanOrEqual(16);
});

test.each([
  ['cannot be written to', 1 | 2 | 4],
  ['cannot be flushed', 1],
])('an export that %s is refused', async (_title, flags) => {
  const { nbd } = await serve({ flags });
  await expect(openNbdSink(nbd, never)).rejects.toMatchObject({ code: 'DR_REPLICATION_TARGET_WRITE' });
});

test('a refused write names place and reason, and the next one goes on', async () => {
  const ENOSPC = 28;
  const { nbd } = await serve({ disturb: (type, at) => (type === WRITE && at === MiB ? ENOSPC : undefined) });
  const sink = await openNbdSink(nbd, never);
  await expect(sink.write(MiB, Buffer.alloc(512), never)).rejects.toMatchObject({
    code: 'DR_REPLICATION_TARGET_WRITE',
    context: { disk: 'disk', offset: MiB, reason: 'the server answers ENOSPC' },
  });
  await sink.write(0, Buffer.alloc(512), never);
  await sink.close();
});

test('an aborted write ends the connection: nothing of it is sent any more', async () => {
  const abort = new AbortController();
  const { nbd } = await serve({
    disturb: (type) => {
      if (type === WRITE) abort.abort(new Error('stopped here'));
      return 'ignore';
    },
  });
  const sink = await openNbdSink(nbd, never);
  await expect(sink.write(0, Buffer.alloc(16 * MiB), abort.signal)).rejects.toThrow('stopped here');
  await expect(sink.write(0, Buffer.alloc(512), never)).rejects.toMatchObject({
    code: 'DR_REPLICATION_TARGET_WRITE',
  });
  await sink.close();
});
