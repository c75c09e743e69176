/**
 * Programs of other people as referees: QEMU reads the replica's VHD, nbdkit serves our NBD client, libnbd talks to the
 * practice vCenter's NBD server. A missing one fails with the command that brings it; `npm run test:long` installs them as root.
 */
import { execFile, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { access, mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { vhdFooter } from '../../dataplane/apply/vhd-footer.ts';
import { connectNbd, openNbdSource } from '../../dataplane/source/nbd-source.ts';
import { totalBytes } from '../../domain/extents.ts';
import { asId } from '../../domain/ids.ts';
import type { DiskId } from '../../domain/ids.ts';
import { blobNames } from '../../domain/names.ts';
import type { DiskExport } from '../../domain/ports.ts';
import { GiB, KiB, MiB } from '../../domain/units.ts';
import { debianTool } from '../../lab/tools/debian.ts';
import type { DebianTool } from '../../lab/tools/debian.ts';
import { waitFor } from '../../lab/wait.ts';
import { createExportServiceTransport } from '../../providers/vsphere/transport/export-service.ts';
import { createVSphere } from '../../providers/vsphere/vsphere.ts';
import { startPracticeVCenter } from '../providers/vsphere/practice-vcenter.ts';
import { startNbdServer } from './support/nbd-server.ts';
import { seededRandom } from './support/random.ts';
import { never, replicated, startRig } from './support/rig.ts';
import type { Rig } from './support/rig.ts';
import { selfSigned } from './support/self-signed.ts';

const random = seededRandom('referees');
const TIMEOUT_MS = 180_000;
const SIZE = 3 * MiB + 512;
const children: ChildProcess[] = [];
let folder: string;
let rig: Rig;
let content: Buffer;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'switchback-referees-'));
  rig = await startRig(random);
  content = random.bytes(SIZE);
  content.fill(0, 256 * KiB, MiB);
}, TIMEOUT_MS);

afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  }
});

afterAll(async () => {
  await rig.stop();
  await rm(folder, { recursive: true, force: true });
});

const at = (name: string) => path.join(folder, name);

async function run(tool: DebianTool, ...args: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(debianTool(tool), args, { maxBuffer: 16 * MiB });
  return stdout;
}

describe('qemu-img', () => {
  test.each([101 * MiB, 127 * GiB, 2040 * GiB])(
    'reads the exact size of a footer of %d bytes',
    async (bytes) => {
      const file = at(`size-${bytes}.vhd`);
      const handle = await open(file, 'w');
      await handle.write(vhdFooter(bytes, asId<DiskId>('00112233445566778899aabbccddeeff')), 0, 512, bytes);
      await handle.close();
      const info = JSON.parse(await run('qemu-img', 'info', '-f', 'vpc', '--output=json', file)) as unknown;
      expect(info).toMatchObject({ format: 'vpc', 'virtual-size': bytes });
    },
  );

  test(
    'takes a replica for a sound VHD and finds the source in it',
    async () => {
      const machine = await replicated(rig, random, [5 * MiB, 2 * MiB + 37 * 512]);
      for (const [index, { diskId, model }] of machine.disks.entries()) {
        const replica = rig.storage.replica(blobNames.replica(machine.item, diskId));
        const { bytes = 0 } = (await replica.properties()) ?? {};
        const vhd = at(`replica-${index}.vhd`);
        const raw = at(`replica-${index}.raw`);
        await writeFile(vhd, await replica.read(null, 0, bytes));
        const info = JSON.parse(await run('qemu-img', 'info', '-f', 'vpc', '--output=json', vhd)) as unknown;
        expect(info).toMatchObject({ 'virtual-size': bytes - 512 });
        await run('qemu-img', 'convert', '-f', 'vpc', '-O', 'raw', vhd, raw);
        const read = await readFile(raw);
        expect(read.length).toBe(bytes - 512);
        expect(read.subarray(0, model.length).equals(model)).toBe(true);
        expect(read.subarray(model.length).every((byte) => byte === 0)).toBe(true);
        const source = `${machine.disks[index]?.file}`;
        expect(await run('qemu-img', 'compare', '-f', 'raw', '-F', 'vpc', source, vhd)).toContain(
          'identical',
        );
      }
    },
    TIMEOUT_MS,
  );
});

describe('nbdkit', () => {
  let served = 0;

  /** Any plugin and filters, on a UNIX socket, until the test ends. */
  async function serve(...args: readonly string[]): Promise<DiskExport> {
    served += 1;
    const socketPath = at(`nbdkit-${served}.sock`);
    const child = spawn(debianTool('nbdkit'), ['-f', '--exit-with-parent', '-U', socketPath, ...args], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    children.push(child);
    const isThere = async () => {
      if (child.exitCode !== null) throw new Error(`nbdkit ended with ${child.exitCode}`);
      return access(socketPath).then(
        () => true,
        () => false,
      );
    };
    await waitFor(isThere, { what: 'nbdkit', withinMs: 60_000 });
    return { host: '', port: 0, socketPath, exportName: '', close: () => Promise.resolve() };
  }

  async function file(): Promise<string> {
    const name = at(`disk-${served}`);
    await writeFile(name, content);
    return name;
  }

  async function readAll(disk: DiskExport): Promise<Buffer> {
    const source = await openNbdSource(disk, never);
    const into = Buffer.alloc(source.capacityBytes);
    const pieces = Array.from({ length: Math.ceil(into.length / (64 * KiB)) }, (_unused, index) =>
      into.subarray(index * 64 * KiB, (index + 1) * 64 * KiB),
    );
    for (let first = 0; first < pieces.length; first += 16) {
      const some = pieces.slice(first, first + 16);
      await Promise.all(some.map((piece, index) => source.read((first + index) * 64 * KiB, piece, never)));
    }
    await source.close();
    return into;
  }

  test.each([
    ['as it is', []],
    ['when every answer is late', ['--filter=delay', 'rdelay=5ms']],
    ['without block status', ['--filter=noextents']],
    ['when it cuts what is asked for into pieces', ['--filter=blocksize', 'maxdata=4k']],
    ['one request after the other', ['--filter=noparallel', 'serialize=requests']],
    ['with simple replies only', ['--no-sr']],
  ])('serves our client a file %s', async (_title, options) => {
    const [filters, settings] = [
      options.filter((option) => option.startsWith('--')),
      options.filter((option) => !option.startsWith('--')),
    ];
    const disk = await serve(...filters, 'file', await file(), ...settings);
    expect((await readAll(disk)).equals(content)).toBe(true);
  });

  test('tells our client where the holes of a file are', async () => {
    const name = at('sparse');
    const handle = await open(name, 'w');
    await handle.write(random.bytes(MiB), 0, MiB, 4 * MiB);
    await handle.truncate(16 * MiB);
    await handle.close();
    const source = await openNbdSource(await serve('file', name), never);
    const found = await source.dataExtents({ offset: 0, length: 16 * MiB }, never);
    expect(found.every(({ offset, length }) => offset >= 4 * MiB && offset + length <= 5 * MiB)).toBe(true);
    expect(totalBytes(found)).toBe(MiB);
    await source.close();
  });

  test('takes writes, zeros, trims and flushes of our client into memory', async () => {
    const client = await connectNbd(await serve('memory', `size=${4 * MiB}`), never);
    const data = random.bytes(64 * KiB);
    await client.write(MiB, data);
    await client.write(2 * MiB, data);
    await client.writeZeroes(2 * MiB, 32 * KiB);
    await client.trim(0, 64 * KiB);
    await client.flush();
    const into = Buffer.alloc(4 * MiB);
    await client.read(0, into);
    await client.close();
    const expected = Buffer.alloc(4 * MiB);
    data.copy(expected, MiB);
    data.copy(expected, 2 * MiB);
    expected.fill(0, 2 * MiB, 2 * MiB + 32 * KiB);
    expect(into.equals(expected)).toBe(true);
  });

  test('reports its errors to our client, by name', async () => {
    const disk = await serve(
      '--filter=error',
      'file',
      await file(),
      'error-pread=EIO',
      'error-pread-rate=100%',
    );
    const source = await openNbdSource(disk, never);
    await expect(source.read(8192, Buffer.alloc(512), never)).rejects.toMatchObject({
      code: 'DR_REPLICATION_SOURCE_READ',
      context: { offset: 8192, reason: 'the server answers EIO' },
    });
    await source.close();
  });

  test('serves our client over TLS, and only the one whose certificate is pinned', async () => {
    const { key, cert } = await selfSigned();
    const certificates = await mkdtemp(at('tls-'));
    for (const [name, pem] of [
      ['ca-cert', cert],
      ['server-cert', cert],
      ['server-key', key],
    ] as const) {
      await writeFile(path.join(certificates, `${name}.pem`), pem, { mode: 0o600 });
    }
    const disk = await serve('--tls=require', `--tls-certificates=${certificates}`, 'file', await file());
    expect((await readAll({ ...disk, tlsCertificate: cert })).equals(content)).toBe(true);
    const other = { ...disk, tlsCertificate: (await selfSigned()).cert };
    await expect(openNbdSource(other, never)).rejects.toMatchObject({
      message: expect.stringContaining('pinned is'),
    });
  });
});

describe('libnbd', () => {
  test('finds our own test server to be an NBD server, and copies it', async () => {
    const name = at('ours');
    await writeFile(name, content);
    const socketPath = at('ours.sock');
    const server = await startNbdServer({ file: name, exportName: 'disk', socketPath });
    const uri = `nbd+unix:///disk?socket=${socketPath}`;
    expect((await run('nbdinfo', '--size', uri)).trim()).toBe(String(SIZE));
    await run('nbdcopy', uri, at('copied'));
    expect((await readFile(at('copied'))).equals(content)).toBe(true);
    await server.stop();
  });

  test(
    'copies a frozen disk from the practice vCenter, byte for byte',
    async () => {
      const practice = await startPracticeVCenter([{ name: 'web', poweredOn: true, disks: [{ mib: 16 }] }]);
      const vsphere = createVSphere();
      try {
        const id = await practice.machineId('web');
        const session = vsphere.session(practice.connection);
        await session.enableChangeTracking(id, () => undefined);
        const { moRef, disks } = await session.getMachine(id);
        const deviceKey = disks[0]?.deviceKey ?? 0;
        const write = { machine: 'web', deviceKey, offset: MiB, seed: random.int(2 ** 31), length: MiB };
        await practice.lab('POST', 'guest/write', write);
        const name = 'switchback-referee';
        const snapshot = await session.createSnapshot(
          id,
          { name, description: '', quiesce: false },
          () => undefined,
        );
        const [disk] = snapshot.disks;
        if (disk === undefined) throw new Error('the snapshot has no disk');
        const exported = await createExportServiceTransport(vsphere).open({
          connection: practice.connection,
          machineMoRef: moRef,
          snapshotMoRef: snapshot.moRef,
          disk,
          signal: never,
        });
        const uri = `nbd://${exported.host}:${exported.port}/${encodeURIComponent(exported.exportName)}`;
        expect(JSON.parse(await run('nbdinfo', '--json', uri))).toMatchObject({
          protocol: 'newstyle-fixed',
          exports: [{ 'export-size': 16 * MiB, is_read_only: true }],
        });
        await run('nbdcopy', uri, at('vcenter.raw'));
        await exported.close();
        const query = new URLSearchParams({ machine: 'web', deviceKey: String(deviceKey), snapshot: name });
        const copied = createHash('sha256').update(await readFile(at('vcenter.raw')));
        expect(await practice.lab('GET', `hash?${query.toString()}`)).toMatchObject({
          sha256: copied.digest('hex'),
        });
      } finally {
        await vsphere.close();
        await practice.stop();
      }
    },
    TIMEOUT_MS,
  );
});
