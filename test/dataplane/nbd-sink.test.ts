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

async function serve({
  size = SIZE,
  ...options
}: Partial<NbdServerOptions> & { readonly size?: number } = {}) {
  const file = path.join(folder, `disk-${random.int(2 ** 31)}`);
  const content = random.bytes(size);
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

const FAST = 16;
const OFFERS_FAST = 1 | 4 | 64 | 2048;
const ENOTSUP = 95;

test.each([
  ['can be fast', () => undefined, { asked: [FAST], sent: false }],
  ['is slow', (flags: number) => (flags === FAST ? ENOTSUP : undefined), { asked: [FAST, 0], sent: false }],
  ['is not possible after all', () => ENOTSUP, { asked: [FAST, 0], sent: true }],
])('where zeroing by command %s the disk holds zeros all the same', async (_title, refuse, expected) => {
  const asked = new Set<number>();
  let writes = 0;
  const { file, content, nbd } = await serve({
    size: 2 * MiB,
    flags: OFFERS_FAST,
    disturb(type, _at, flags) {
      if (type === WRITE) writes += 1;
      if (type !== WRITE_ZEROES) return undefined;
      asked.add(flags);
      return refuse(flags);
    },
  });
  const sink = await openNbdSink(nbd, never);
  await sink.zero(64 * KiB, MiB, never);
  await sink.zero(1_500 * KiB, 8 * KiB, never);
  await sink.flush(never);
  await sink.close();
  content.fill(0, 64 * KiB, 1_088 * KiB);
  content.fill(0, 1_500 * KiB, 1_508 * KiB);
  expect((await readFile(file)).equals(content)).toBe(true);
  expect({ asked: [...asked], sent: writes > 0 }).toEqual(expected);
});

test('a server that takes only whole blocks, and little at once, gets no other request', async () => {
  const size = 4 * MiB;
  const { file, content, nbd } = await serve({ size, blocks: { min: 4 * KiB, max: 64 * KiB } });
  const sink = await openNbdSink(nbd, never);
  const places = Array.from({ length: 40 }, (_, index) => index * 72 * KiB + 512 * random.int(8));
  await Promise.all(
    places.map(async (offset, index) => {
      const length = 512 * (1 + random.int(index % 4 === 0 ? 130 : 10));
      if (index % 3 === 0) {
        content.fill(0, offset, offset + length);
        return sink.zero(offset, length, never);
      }
      const bytes = random.bytes(length);
      bytes.copy(content, offset);
      return sink.write(offset, bytes, never);
    }),
  );
  // Neighbours in one block, at once.
  const sectors = Array.from({ length: 24 }, (_, index) => 3 * MiB + index * 512);
  await Promise.all(
    sectors.map((offset) => {
      const bytes = random.bytes(512);
      bytes.copy(content, offset);
      return sink.write(offset, bytes, never);
    }),
  );
  const into = Buffer.alloc(MiB + 1536);
  await sink.read(MiB + 512, into, never);
  expect(into.equals(content.subarray(MiB + 512, 2 * MiB + 2048))).toBe(true);
  await sink.close();
  expect((await readFile(file)).equals(content)).toBe(true);
});

test.each([
  ['of no power of two', { min: 1_536, max: 64 * KiB }],
  ['larger than any sector', { min: 128 * KiB, max: MiB }],
  ['that its size is no multiple of', { min: 4 * KiB, max: MiB }],
])('an export of blocks %s is refused', async (_title, blocks) => {
  const { nbd } = await serve({ size: MiB + 512, blocks });
  await expect(openNbdSink(nbd, never)).rejects.toMatchObject({ code: 'DR_REPLICATION_SOURCE_READ' });
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
