import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect, type NetConnectOpts } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { asId, type ProtectedItemId } from '../../../domain/ids.ts';
import { snapshotName } from '../../../domain/names.ts';
import { type DiskTransport, type MachineSnapshot, Secret } from '../../../domain/ports.ts';
import { createExportServiceTransport } from '../../../providers/vsphere/transport/export-service.ts';
import { nbdkitArguments, startNbdkit } from '../../../providers/vsphere/transport/nbdkit.ts';
import {
  createNbdkitVddkTransport,
  vddkArguments,
} from '../../../providers/vsphere/transport/nbdkit-vddk.ts';
import { createVSphere, type VSphereClient } from '../../../providers/vsphere/vsphere.ts';
import { codeOf, PASSWORD, type PracticeVCenter, startPracticeVCenter } from './practice-vcenter.ts';

let practice: PracticeVCenter;
beforeAll(async () => {
  practice = await startPracticeVCenter([{ name: 'web', poweredOn: true, disks: [{ mib: 16 }] }]);
});
afterAll(() => practice.stop());

const { signal } = new AbortController();

/** The first eight bytes an NBD server says. */
function greeting(address: NetConnectOpts): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(address);
    socket.once('error', reject);
    socket.once('data', (bytes: Buffer) => {
      socket.destroy();
      resolve(bytes.subarray(0, 8).toString('latin1'));
    });
  });
}

describe('the disk export service', () => {
  let vsphere: VSphereClient;
  let transport: DiskTransport;
  let moRef: string;
  let snapshot: MachineSnapshot;
  beforeAll(async () => {
    vsphere = createVSphere();
    transport = createExportServiceTransport(vsphere);
    const id = await practice.machineId('web');
    const session = vsphere.session(practice.connection);
    ({ moRef } = await session.getMachine(id));
    const name = snapshotName(asId<ProtectedItemId>(id), 1);
    snapshot = await session.createSnapshot(id, { name, description: '', quiesce: false }, () => undefined);
  });
  afterAll(() => vsphere.close());

  const open = (snapshotMoRef = snapshot.moRef) => {
    const [disk] = snapshot.disks;
    if (disk === undefined) throw new Error('the machine has no disk');
    return transport.open({
      connection: practice.connection,
      machineMoRef: moRef,
      snapshotMoRef,
      disk,
      signal,
    });
  };

  test('hands out an NBD address, and takes it back any number of times', async () => {
    const granted = await open();
    expect(granted.exportName).not.toBe('');
    expect(await greeting({ host: granted.host, port: granted.port })).toBe('NBDMAGIC');
    await granted.close();
    await granted.close();
  });

  test('is asked again with a new session when the old one is gone', async () => {
    await practice.lab('POST', 'sessions/kill');
    const granted = await open();
    await practice.lab('POST', 'sessions/kill');
    await granted.close();
  });

  test('that does not know the snapshot ends in DR_VCENTER_TASK_FAILED', async () => {
    expect(await codeOf(open('snapshot-9999'))).toBe('DR_VCENTER_TASK_FAILED');
  });
});

const vddk = { vddkFolder: '/opt/vmware-vix-disklib', transports: ['nbdssl', 'nbd'] };
const disk = { deviceKey: 2000, capacityBytes: 1024, changeId: null, fileName: '[ds 1] web/web.vmdk' };

describe('the command line of nbdkit vddk', () => {
  const connection = () => ({ ...practice.connection, url: 'https://vcenter.example:8443' });
  const line = (snapshotMoRef: string | null = 'snapshot-7') =>
    vddkArguments(vddk, {
      connection: connection(),
      machineMoRef: 'vm-42',
      snapshotMoRef,
      disk,
      passwordFile: '/run/x/secret',
    });

  test('names machine, snapshot, disk and certificate', () => {
    expect(line().map((argument) => argument.replace(/^thumbprint=.*/, 'thumbprint'))).toEqual([
      'vddk',
      'libdir=/opt/vmware-vix-disklib',
      'server=vcenter.example',
      'port=8443',
      'user=administrator@vsphere.local',
      'password=+/run/x/secret',
      'thumbprint',
      'vm=moref=vm-42',
      'snapshot=snapshot-7',
      'file=[ds 1] web/web.vmdk',
      'transports=nbdssl:nbd',
    ]);
    expect(line().join(' ')).toMatch(/thumbprint=([0-9A-F]{2}:){19}[0-9A-F]{2} /);
  });

  test('names no snapshot for a disk that is written, and only then may nbdkit write', () => {
    expect(line(null)).toEqual(line().filter((argument) => !argument.startsWith('snapshot=')));
    const common = ['--exit-with-parent', '--unix', '/run/x/socket', '--pidfile', '/run/x/pid'];
    expect(nbdkitArguments('/run/x/socket', '/run/x/pid', true)).toEqual(common);
    expect(nbdkitArguments('/run/x/socket', '/run/x/pid', false)).toEqual(
      common.toSpliced(1, 0, '--readonly'),
    );
  });

  test('never holds the password', () => {
    expect(line().join(' ')).not.toContain(PASSWORD);
  });
});

describe('an nbdkit process', () => {
  let runFolder: string;
  beforeEach(async () => {
    runFolder = await mkdtemp(join(tmpdir(), 'nbd-'));
  });
  afterEach(() => rm(runFolder, { recursive: true, force: true }));

  const openVddk = (nbdkit: string) =>
    createNbdkitVddkTransport({ ...vddk, nbdkit, runFolder }).open({
      connection: practice.connection,
      machineMoRef: 'vm-42',
      snapshotMoRef: 'snapshot-7',
      disk,
      signal,
    });

  test('that is not installed ends in DR_TOOL_MISSING and leaves nothing behind', async () => {
    expect(await codeOf(openVddk(join(runFolder, 'absent')))).toBe('DR_TOOL_MISSING');
    expect(readdirSync(runFolder)).toEqual([]);
  });

  test('that ends at once is reported with its last words and leaves nothing behind', async () => {
    const program = join(runFolder, 'nbdkit');
    await writeFile(program, '#!/bin/sh\necho "cannot load libvixDiskLib" >&2\nexit 1\n', { mode: 0o700 });
    await expect(openVddk(program)).rejects.toMatchObject({
      code: 'DR_REPLICATION_SOURCE_READ',
      context: { disk: disk.fileName, reason: 'cannot load libvixDiskLib' },
    });
    expect(readdirSync(runFolder)).toEqual(['nbdkit']);
  });

  test('finds the password in a file that only its user may read', async () => {
    const program = join(runFolder, 'nbdkit');
    const script = `#!/bin/sh
for a in "$@"; do case "$a" in password=+*) file="\${a#password=+}";; esac; done
cat "$file" > ${join(runFolder, 'seen')}; stat -c %a "$file" >&2; exit 1
`;
    await writeFile(program, script, { mode: 0o700 });
    await expect(openVddk(program)).rejects.toMatchObject({ context: { reason: '600' } });
    expect(readFileSync(join(runFolder, 'seen'), 'utf8')).toBe(PASSWORD);
  });

  /** Plays nbdkit as far as its start and the first request for the export. */
  async function playNbdkit(answer: string): Promise<string> {
    const program = join(runFolder, 'nbdkit');
    const script = `#!${process.execPath}
const { createServer } = require('node:net');
const { writeFileSync } = require('node:fs');
const after = (name) => process.argv[process.argv.indexOf(name) + 1];
const server = createServer((socket) => {
  const flags = Buffer.from([0, 3]);
  socket.write(Buffer.concat([Buffer.from('NBDMAGICIHAVEOPT'), flags]));
  socket.on('error', () => undefined);
  socket.on('data', (request) => { ${answer} });
});
server.listen(after('--unix'), () => writeFileSync(after('--pidfile'), String(process.pid)));
process.on('SIGTERM', () => process.exit(0));
`;
    await writeFile(program, script, { mode: 0o700 });
    return program;
  }

  const reply = (type: number) =>
    `const r = Buffer.alloc(20); request.copy(r, 8, 12, 16); r.writeUInt32BE(${type}, 12); socket.write(r);`;

  const openVddkForWriting = (nbdkit: string) =>
    createNbdkitVddkTransport({ ...vddk, nbdkit, runFolder }).openForWriting({
      connection: practice.connection,
      machineMoRef: 'vm-42',
      disk,
      signal,
    });

  test('that opens the disk hands out its export for writing', async () => {
    const granted = await openVddkForWriting(await playNbdkit(reply(1)));
    expect(await greeting({ path: granted.socketPath ?? '' })).toBe('NBDMAGIC');
    await granted.close();
    expect(readdirSync(runFolder)).toEqual(['nbdkit']);
  });

  test.each([
    ['Failed to lock the file', 'DR_MACHINE_FILE_LOCKED'],
    ['You do not have access rights to this file', 'DR_VCENTER_TASK_FAILED'],
  ])('that cannot open the disk says why and leaves nothing behind: %s', async (words, code) => {
    const refuse = `process.stderr.write('${words}', () => { ${reply(0x8000_0006)} });`;
    await expect(openVddkForWriting(await playNbdkit(refuse))).rejects.toMatchObject({
      code,
      message: expect.stringContaining(words),
    });
    expect(readdirSync(runFolder)).toEqual(['nbdkit']);
  });

  test('that hangs up on the request for the export has not opened it', async () => {
    const refused = openVddkForWriting(await playNbdkit('socket.destroy();'));
    expect(await codeOf(refused)).toBe('DR_VCENTER_TASK_FAILED');
    expect(readdirSync(runFolder)).toEqual(['nbdkit']);
  });

  const nbdkit = installedNbdkit();
  if (nbdkit !== undefined) {
    test('serves on a private socket until it is closed', async () => {
      const file = join(runFolder, 'disk');
      await writeFile(file, Buffer.alloc(4096, 7));
      const started = await startNbdkit({
        command: nbdkit,
        runFolder,
        secret: new Secret('unused'),
        pluginArguments: () => ['file', file],
        isWritable: false,
        disk: file,
        signal,
      });
      expect(await greeting({ path: started.socketPath })).toBe('NBDMAGIC');
      expect(existsSync(join(started.socketPath, '../secret'))).toBe(false);
      await started.close();
      await started.close();
      expect(() => process.kill(started.pid, 0)).toThrow('ESRCH');
      expect(readdirSync(runFolder)).toEqual(['disk']);
    });
  }
});

/** The process's whole life is tested where nbdkit and its `file` plugin are installed. */
function installedNbdkit(): string | undefined {
  try {
    return execFileSync('which', ['nbdkit'], { encoding: 'utf8' }).trim();
  } catch {
    return undefined;
  }
}
