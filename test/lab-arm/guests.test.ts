import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { MiB } from '../../domain/units.ts';
import { armControls } from '../../lab/controls.ts';
import type { ArmControls } from '../../lab/controls.ts';
import { waitFor } from '../../lab/wait.ts';
import { exported, grantRead, halfOpen, makeMachine, takeSnapshot } from './support/machine.ts';
import type { Made } from './support/machine.ts';
import { makeVhd, quick, startRig } from './support/rig.ts';
import type { Rig } from './support/rig.ts';

const GROUP = 'guests';
const BLOCK = 4096;
let rig: Rig;
let arm: ArmControls;
let made: Made;

beforeAll(async () => {
  rig = await startRig();
  arm = armControls(rig.facts.url, rig.facts.caFile);
  const blobs = await Promise.all([
    makeVhd(rig, 'guests/os.vhd', 24, [{ offset: 0, bytes: randomBytes(MiB) }]),
    makeVhd(rig, 'guests/data.vhd', 20, []),
  ]);
  made = await makeMachine(rig, { group: GROUP, vhds: blobs.map(({ url }) => url) });
});
afterAll(async () => {
  await arm.client.close();
  await rig.close();
});

test('a workload says exactly what changed, and snapshots of its running machine stay as they were', async () => {
  const [disk = ''] = made.diskIds;
  await Promise.all(made.diskIds.map((id, index) => takeSnapshot(rig, GROUP, `before${index}`, id)));
  await arm.startWorkload({ machine: made.vmId, seed: 7, bytesPerSecond: 4 * MiB });
  await written(256 * 1024);
  await takeSnapshot(rig, GROUP, 'during', disk);
  const client = exported(rig, await grantRead(rig, GROUP, 'during'));
  const frozen = await client.downloadToBuffer();
  await written(1024 * 1024);
  await rig.killAndRestart();
  const atKill = await arm.workload(made.vmId);
  expect(atKill.running).toBe(true);
  expect(atKill.bytes).toBeGreaterThanOrEqual(1024 * 1024);
  await written(atKill.bytes + 256 * 1024);
  expect((await client.downloadToBuffer()).equals(frozen)).toBe(true);
  const final = await arm.stopWorkload(made.vmId);
  expect(final.running).toBe(false);
  expect(await arm.workload(made.vmId)).toEqual(final);

  let changed = 0;
  for (const [index, id] of made.diskIds.entries()) {
    await takeSnapshot(rig, GROUP, `after${index}`, id);
    const previous = await grantRead(rig, GROUP, `before${index}`);
    const target = exported(rig, await grantRead(rig, GROUP, `after${index}`));
    const { pageRange } = await target.getPageRangesDiffForManagedDisks(0, 24 * MiB, previous);
    for (const { start, end } of halfOpen(pageRange)) changed += (end - start) / BLOCK;
  }
  expect(final.changedBlocks).toBe(changed);
  expect(final.bytes).toBeGreaterThanOrEqual(changed * BLOCK);
});

test('a workload ends with its machine, and the history tells who was on and who wrote', async () => {
  const { compute } = rig.clients;
  await arm.startWorkload({ machine: made.vmId, seed: 8, bytesPerSecond: MiB });
  await written(64 * 1024);
  await compute.virtualMachines.deallocate(GROUP, made.vm, quick);
  const final = await arm.workload(made.vmId);
  expect(final.running).toBe(false);
  await expect(arm.startWorkload({ machine: made.vmId, seed: 8, bytesPerSecond: MiB })).rejects.toThrow(
    '409',
  );
  await compute.virtualMachines.start(GROUP, made.vm, quick);
  expect(await arm.workload(made.vmId)).toEqual(final);
  await arm.write({ id: made.diskIds[1] ?? '', offset: 512, seed: 1, length: 1024 });
  await compute.virtualMachines.delete(GROUP, made.vm, quick);
  await rig.killAndRestart();

  const { machines, disks } = await arm.history();
  const power = machines.find(({ id }) => id === made.vmId)?.power ?? [];
  expect(power.map(({ state }) => state)).toEqual([
    'starting',
    'running',
    'deallocating',
    'deallocated',
    'starting',
    'running',
    'deleted',
  ]);
  const spans = disks.find(({ id }) => id === made.diskIds[1])?.writes ?? [];
  expect(spans[0]).toMatchObject({ writer: 'import', bytes: 0 });
  const guest = spans.filter(({ writer }) => writer === 'guest');
  expect(guest.length).toBeGreaterThan(0);
  const [isOnFrom, isOffAt] = [power[1]?.at ?? 0, power.at(-1)?.at ?? 0];
  const off = { from: power[2]?.at ?? 0, to: power[5]?.at ?? 0 };
  for (const { firstAt, lastAt } of guest) {
    expect(firstAt).toBeGreaterThanOrEqual(isOnFrom);
    expect(lastAt).toBeLessThanOrEqual(isOffAt);
    expect(lastAt <= off.from || firstAt >= off.to).toBe(true);
  }
});

async function written(bytes: number): Promise<void> {
  await waitFor(async () => (await arm.workload(made.vmId)).bytes >= bytes, {
    what: `the workload to write ${bytes} bytes`,
    withinMs: 20_000,
  });
}
