import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { NbdClient } from '../../dataplane/source/nbd-client.ts';
import { openNbdSource } from '../../dataplane/source/nbd-source.ts';
import type { DiskExport } from '../../domain/ports.ts';
import { KiB, MiB } from '../../domain/units.ts';
import { startNbdServer } from './support/nbd-server.ts';
import type { NbdServer, NbdServerOptions } from './support/nbd-server.ts';
import { seededRandom } from './support/random.ts';
import { selfSigned } from './support/self-signed.ts';

const random = seededRandom('nbd');
const never = new AbortController().signal;
const SIZE = 3 * MiB + 512;
let folder: string;
let content: Buffer;
const servers: NbdServer[] = [];

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'switchback-nbd-'));
  content = random.bytes(SIZE);
  content.fill(0, 256 * KiB, MiB);
});

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.stop()));
});

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function serve(options: Partial<NbdServerOptions> = {}): Promise<{ server: NbdServer; file: string }> {
  const file = path.join(folder, `disk-${random.int(2 ** 31)}`);
  await writeFile(file, content);
  const server = await startNbdServer({ file, exportName: 'snap/disk 0', ...options });
  servers.push(server);
  return { server, file };
}

function exportAt(server: NbdServer, more: Partial<DiskExport> = {}): DiskExport {
  return {
    host: '127.0.0.1',
    port: server.port,
    exportName: 'snap/disk 0',
    close: () => Promise.resolve(),
    ...more,
  };
}

test.each([
  ['with structured replies', { structured: true }],
  ['with simple replies', { structured: false }],
])('reads many ranges at once, answered out of order, %s', async (_title, options) => {
  const { server } = await serve(options);
  const source = await openNbdSource(exportAt(server), never);
  expect(source.capacityBytes).toBe(SIZE);
  const ranges = Array.from({ length: 16 }, () => {
    const offset = random.int(SIZE / 512 - 1) * 512;
    return { offset, into: Buffer.alloc(Math.min(SIZE - offset, 512 * (1 + random.int(512)))) };
  });
  await Promise.all(ranges.map(({ offset, into }) => source.read(offset, into, never)));
  for (const { offset, into } of ranges) {
    expect(into.equals(content.subarray(offset, offset + into.length))).toBe(true);
  }
  expect(server.inFlightMax()).toBeGreaterThan(1);
  await source.close();
});

test('tells data from holes by asking as often as the server needs', async () => {
  const { server } = await serve();
  const source = await openNbdSource(exportAt(server), never);
  expect(await source.dataExtents({ offset: 0, length: SIZE }, never)).toEqual([
    { offset: 0, length: 256 * KiB },
    { offset: MiB, length: SIZE - MiB },
  ]);
  expect(await source.dataExtents({ offset: 300 * KiB, length: 64 * KiB }, never)).toEqual([]);
  await source.close();
});

test('takes the whole range for data when the server tells no block status', async () => {
  const { server } = await serve({ structured: false });
  const source = await openNbdSource(exportAt(server), never);
  const range = { offset: 512, length: 2 * MiB };
  expect(await source.dataExtents(range, never)).toEqual([range]);
  await source.close();
});

test('writes, zeroes, trims and flushes', async () => {
  const { server, file } = await serve();
  const client = await NbdClient.open(exportAt(server), never);
  const data = random.bytes(64 * KiB);
  await client.write(512 * KiB, data);
  await client.writeZeroes(2 * MiB, 4 * KiB);
  await client.trim(MiB, KiB);
  await client.flush();
  await client.close();
  const expected = Buffer.from(content);
  data.copy(expected, 512 * KiB);
  expected.fill(0, 2 * MiB, 2 * MiB + 4 * KiB).fill(0, MiB, MiB + KiB);
  expect((await readFile(file)).equals(expected)).toBe(true);
});

test('speaks over a UNIX socket', async () => {
  const socketPath = path.join(folder, 'nbd.sock');
  const { server } = await serve({ socketPath });
  const source = await openNbdSource(exportAt(server, { socketPath }), never);
  const into = Buffer.alloc(4096);
  await source.read(0, into, never);
  expect(into.equals(content.subarray(0, 4096))).toBe(true);
  await source.close();
});

test('reads over TLS from the server whose certificate is pinned', async () => {
  const keys = await selfSigned();
  const { server } = await serve({ tls: keys });
  const source = await openNbdSource(exportAt(server, { tlsCertificate: keys.cert }), never);
  const into = Buffer.alloc(MiB);
  await source.read(MiB, into, never);
  expect(into.equals(content.subarray(MiB, 2 * MiB))).toBe(true);
  await source.close();
});

test('refuses a server with another certificate', async () => {
  const { server } = await serve({ tls: await selfSigned() });
  const other = await selfSigned();
  await expect(openNbdSource(exportAt(server, { tlsCertificate: other.cert }), never)).rejects.toMatchObject({
    code: 'DR_REPLICATION_SOURCE_READ',
    message: expect.stringContaining('pinned is'),
  });
});

test('refuses a server without TLS when a certificate is pinned', async () => {
  const { server } = await serve();
  const { cert } = await selfSigned();
  await expect(openNbdSource(exportAt(server, { tlsCertificate: cert }), never)).rejects.toMatchObject({
    code: 'DR_REPLICATION_SOURCE_READ',
    message: expect.stringContaining('does not offer TLS'),
  });
});

test('refuses plain NBD to another host', async () => {
  const disk = { host: '192.0.2.1', port: 10809, exportName: 'x', close: () => Promise.resolve() };
  await expect(openNbdSource(disk, never)).rejects.toMatchObject({
    code: 'DR_REPLICATION_SOURCE_READ',
    message: expect.stringContaining('TLS'),
  });
});

test('names an export that does not exist', async () => {
  const { server } = await serve();
  await expect(openNbdSource(exportAt(server, { exportName: 'other' }), never)).rejects.toMatchObject({
    code: 'DR_REPLICATION_SOURCE_READ',
    message: expect.stringContaining('"other"'),
  });
});

test.each([
  ['with structured replies', true],
  ['with simple replies', false],
])('reports an error of the server with disk and offset and goes on, %s', async (_title, structured) => {
  const { server } = await serve({
    structured,
    disturb: (type, offset) => (type === 0 && offset === 8192 ? 5 : undefined),
  });
  const source = await openNbdSource(exportAt(server), never);
  await expect(source.read(8192, Buffer.alloc(512), never)).rejects.toMatchObject({
    code: 'DR_REPLICATION_SOURCE_READ',
    context: { disk: 'snap/disk 0', offset: 8192, reason: 'the server answers EIO' },
  });
  await expect(source.read(0, Buffer.alloc(512), never)).resolves.toBeUndefined();
  await source.close();
});

test.each([
  ['leaves a gap', 'gap'],
  ['brings the same bytes twice', 'overlap'],
] as const)('a read whose reply %s is refused and ends the connection', async (_title, fault) => {
  const { server } = await serve({ disturb: (_type, offset) => (offset === 2048 ? fault : undefined) });
  const source = await openNbdSource(exportAt(server), never);
  const broken = { code: 'DR_REPLICATION_SOURCE_READ', message: expect.stringContaining('gaps or overlaps') };
  await expect(source.read(2048, Buffer.alloc(1024), never)).rejects.toMatchObject(broken);
  await expect(source.read(0, Buffer.alloc(1024), never)).rejects.toMatchObject(broken);
  await source.close();
});

test('fails everything that waits when the connection is lost', async () => {
  const { server } = await serve({ disturb: (_type, offset) => (offset === 1024 ? 'drop' : 'ignore') });
  const source = await openNbdSource(exportAt(server), never);
  const reads = [0, 512, 1024].map((offset) => source.read(offset, Buffer.alloc(512), never));
  for (const outcome of await Promise.allSettled(reads)) {
    expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'DR_REPLICATION_SOURCE_READ' } });
  }
  await expect(source.read(0, Buffer.alloc(512), never)).rejects.toMatchObject({
    code: 'DR_REPLICATION_SOURCE_READ',
  });
  await source.close();
});

test('an aborted read gives its memory back at once and leaves the connection usable', async () => {
  let held = true;
  const { server } = await serve({ disturb: () => (held ? 'ignore' : undefined) });
  const source = await openNbdSource(exportAt(server), never);
  const abort = new AbortController();
  const into = Buffer.alloc(512);
  const reading = source.read(0, into, abort.signal);
  abort.abort(new Error('stopped here'));
  await expect(reading).rejects.toThrow('stopped here');
  held = false;
  await source.read(512, into, never);
  expect(into.equals(content.subarray(512, 1024))).toBe(true);
  await source.close();
});

test('a server that falls silent while a request waits is given up', async () => {
  const { server } = await serve({ disturb: () => 'ignore' });
  const client = await NbdClient.open(exportAt(server), never, 100);
  await expect(client.read(0, Buffer.alloc(512))).rejects.toThrow('no answer for 0.1 s');
  await expect(client.read(0, Buffer.alloc(512))).rejects.toThrow('no answer');
});
