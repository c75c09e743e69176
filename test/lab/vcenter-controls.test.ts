import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { vcenterControls, type VCenterControls } from '../../lab/controls.ts';
import type { InventoryMachine } from '../../lab/inventory.ts';
import { startVCenter, type VCenterRunning } from '../../lab/processes/vcenter.ts';
import { vcenterBinary } from '../../lab/tools/vcenter.ts';
import { waitFor } from '../../lab/wait.ts';

const BUILD_MS = 300_000;
const MIB = 1024 * 1024;

const inventory: readonly InventoryMachine[] = [
  { name: 'web', poweredOn: false, disks: [{ mib: 16, filesystem: 'ext4', seed: 1 }] },
  { name: 'app', poweredOn: true, datastore: 'fast', disks: [{ mib: 1 }] },
];

let folder: string;
let running: VCenterRunning;
let controls: VCenterControls;

async function start(): Promise<void> {
  running = await startVCenter({
    binary: await vcenterBinary(),
    stateFolder: join(folder, 'state'),
    readyFile: join(folder, 'ready.json'),
    logFile: join(folder, 'vcenter.log'),
    port: 0,
    nbdPort: 0,
    username: 'administrator@vsphere.local',
    passwordFile: join(folder, 'password'),
    inventoryFile: join(folder, 'inventory.json'),
  });
  controls = vcenterControls(running.facts.url, running.facts.certificateFile);
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'switchback-controls-'));
  await writeFile(join(folder, 'password'), 'practice', { mode: 0o600 });
  await writeFile(join(folder, 'inventory.json'), JSON.stringify(inventory));
  await start();
}, BUILD_MS);

afterAll(async () => {
  await controls.client.close();
  await running.stop();
  await rm(folder, { recursive: true, force: true });
});

test('a machine powered on behind our back is in the history and has written', async () => {
  const [disk] = (await controls.machine('web')).disks;
  const of = { machine: 'web', deviceKey: disk?.deviceKey ?? 0 };
  const before = await controls.hash(of);
  await controls.power('web', true);
  const after = await controls.hash(of);
  expect(after.sha256).not.toBe(before.sha256);
  await controls.power('web', false);
  expect((await controls.history('web'))?.power.map(({ on }) => on)).toEqual([true, false]);
  expect((await controls.machine('web')).powerState).toBe('poweredOff');
});

test('a workload reports how much it changed', async () => {
  await controls.startWorkload({ machine: 'app', seed: 1, bytesPerSecond: 8 * MIB });
  const wrote = async () => (await controls.workload('app')).bytes > MIB;
  await waitFor(wrote, { what: 'a MiB to be written', withinMs: 20_000 });
  const { bytes, changedBytes } = await controls.stopWorkload('app');
  expect(changedBytes).toBeGreaterThan(0);
  expect(changedBytes).toBeLessThanOrEqual(Math.min(bytes, MIB));
});

test('disks added and grown, reach, space, tools and privileges are what the next start finds', async () => {
  const deviceKey = await controls.addDisk({ machine: 'web', mib: 16, filesystem: 'ext4', seed: 2 });
  await controls.growDisk({ machine: 'web', deviceKey, capacityBytes: 32 * MIB });
  await controls.setTools('web', 'failing');
  await controls.setMissingPrivileges('administrator@vsphere.local', ['VirtualMachine.Interact.PowerOn']);
  await controls.setDatastore('fast', { freeBytes: 5 * MIB });
  await controls.setDatastore('LocalDS_1', { accessible: false });
  await controls.setHost('DC0_C0_H2', false);
  await controls.setWriteLease(100);
  const seen = async () => ({
    machines: await controls.machines(),
    datastores: await controls.datastores(),
    hosts: await controls.hosts(),
    histories: await controls.histories(),
  });
  const before = await seen();
  expect(before.machines.find(({ name }) => name === 'web')?.disks).toContainEqual(
    expect.objectContaining({ deviceKey, capacityBytes: 32 * MIB }),
  );
  expect(before.datastores).toContainEqual(expect.objectContaining({ name: 'fast', freeBytes: 5 * MIB }));
  expect(before.datastores).toContainEqual(expect.objectContaining({ name: 'LocalDS_1', accessible: false }));
  expect(before.hosts).toContainEqual({ name: 'DC0_C0_H2', connected: false, machines: [] });
  await controls.client.close();
  running.kill('SIGKILL');
  await running.exited;
  await start();
  expect(await seen()).toEqual(before);
  // The privilege is missing for clients; the button at the machine needs none.
  await controls.power('web', true);
});
