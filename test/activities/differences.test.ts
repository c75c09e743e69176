/** Forward again without copying everything: by comparing, with further disks, with disks that grew; and what guests are asked. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createCompareActivities } from '../../activities/replication/create-compare-activities.ts';
import { createCompareMoveActivities } from '../../activities/replication/create-compare-move-activities.ts';
import { createMoveActivities } from '../../activities/replication/create-move-activities.ts';
import { runDelta } from '../../activities/replication/delta.ts';
import { runDifferences } from '../../activities/replication/differences.ts';
import { runInitialCopy } from '../../activities/replication/initial-copy.ts';
import { createSiteActivities } from '../../activities/vsphere/create-site-activities.ts';
import { latestBarrier } from '../../dataplane/journal/barriers.ts';
import { blobNames } from '../../domain/names.ts';
import { fencingEpoch } from '../../domain/replication.ts';
import type { ReplicationHeartbeat } from '../../workflows/contracts/types.ts';
import { codeOf } from '../providers/vsphere/practice-vcenter.ts';
import { endedAfterBarrier } from './support/barrier-hold.ts';
import { reconfigureDisk, virtualDisk } from './support/disks.ts';
import { inActivity } from './support/in-activity.ts';
import {
  BLOCK_BYTES,
  at,
  firstPoint,
  hooks,
  startReplicationRig,
  type Machine,
  type ReplicationRig,
} from './support/replication-rig.ts';

const disk = { mib: 32 };
let rig: ReplicationRig;
beforeAll(async () => {
  const names = ['compared', 'retried', 'grown', 'quiesced', 'failing'];
  rig = await startReplicationRig([
    ...names.map((name) => ({ name, poweredOn: true, disks: [disk] })),
    { name: 'joined', poweredOn: true, disks: [disk, { mib: 8 }] },
  ]);
});
afterAll(() => rig.stop());

async function protectedMachine(name: string): Promise<Machine> {
  const machine = await rig.machine(name);
  for (const mib of [1, 3, 5]) await machine.write(at(mib));
  await firstPoint(rig.ports, machine);
  return machine;
}

async function compare(machine: Machine, item = machine.item) {
  const azure = createCompareActivities(rig.ports);
  const site = createCompareMoveActivities(rig.ports);
  const hashes = await inActivity(() => azure.hashReplica({ item, sessionEpoch: 7 }));
  const ship = () => site.shipDifferences({ item, sessionEpoch: 7, hashes });
  const shipped = await inActivity(ship);
  expect(await inActivity(ship, { attempt: 2 })).toEqual(shipped);
  expect(await Array.fromAsync(rig.ports.storage.list(blobNames.blockHashesPrefix(item.itemId)))).toEqual([]);
  return shipped;
}

test('a replica that is there already is brought up to date by what differs', async () => {
  const machine = await protectedMachine('compared');
  await rig.practice.lab('POST', 'cbt-reset', { machine: 'compared' });
  // Places that no block of the comparison begins at.
  const offsets = [2, 8, 9, 20].map((mib) => at(mib) + 20 * 1024);
  for (const offset of [...offsets, ...offsets.map((each) => each + BLOCK_BYTES)])
    await machine.write(offset);
  const { wireBytes, barrierNumber } = await compare(machine);
  expect(wireBytes).toBeLessThanOrEqual(1.3 * 8 * BLOCK_BYTES);
  expect(await latestBarrier(rig.ports.storage, machine.item.itemId)).toMatchObject({
    number: barrierNumber,
    kind: 'point',
    cycle: 'delta',
  });
  expect(await machine.snapshotNames()).toEqual([]);

  await machine.write(at(30));
  const delta = await runDelta(rig.ports, { item: machine.item, epoch: 2 ** 24 }, hooks());
  expect(delta.disks[0]?.readBytes).toBe(BLOCK_BYTES);
  expect((await machine.newestPoint(2 ** 24)).hashes).toEqual(await machine.hashes());
});

test('a try that goes on after another one ships what differs, and what went back to what it was', async () => {
  const machine = await protectedMachine('retried');
  const { item } = machine;
  const azure = createCompareActivities(rig.ports);
  const hashes = await inActivity(() => azure.hashReplica({ item, sessionEpoch: 7 }));
  for (const mib of [8, 12, 16]) await machine.write(at(mib));
  const controller = new AbortController();
  const request = { item, hashEpoch: hashes.epoch, windowBytes: BLOCK_BYTES };
  const interrupted = runDifferences(
    endedAfterBarrier(rig.ports, controller),
    { ...request, epoch: fencingEpoch(7, 1) },
    hooks(controller),
  );
  await expect(interrupted).rejects.toThrow('ended by the test');

  // The first window has shipped it. Now it is again as the hashes say.
  await machine.zero(at(8));
  const progress: number[] = [];
  const barrier = await runDifferences(
    rig.ports,
    { ...request, epoch: fencingEpoch(8, 1) },
    { ...hooks(), onProgress: ({ totalBytes }) => progress.push(totalBytes) },
  );
  expect(Math.max(...progress)).toBe(3 * BLOCK_BYTES);
  expect(await machine.newestPoint(2 ** 24)).toMatchObject({
    point: { barrierNumber: barrier.number },
    hashes: await machine.hashes(),
  });
});

test('a disk that grew is taken in with its new size', async () => {
  const machine = await protectedMachine('grown');
  const change = { operation: 'edit', device: await virtualDisk(rig, machine, at(48)) };
  await reconfigureDisk(rig, machine, change);
  const site = createSiteActivities(rig.ports);
  const item = await inActivity(() => site.refreshDisks({ item: machine.item }));
  expect(item.disks.map(({ capacityBytes }) => capacityBytes)).toEqual([at(48)]);
  await machine.write(at(40));
  await compare(machine, item);
  expect((await machine.newestPoint(2 ** 24, item)).hashes).toEqual(await machine.hashes());
});

test('a further disk joins with the next barrier, and one that is not there is refused', async () => {
  const whole = await rig.machine('joined');
  const [first, second] = whole.item.disks;
  if (first === undefined || second === undefined) throw new Error('two disks are needed');
  const item = { ...whole.item, disks: [first], excludedDisks: [second.deviceKey] };
  await whole.write(at(1));
  await whole.write(at(2), 1);
  await runInitialCopy(rig.ports, { item, epoch: 1 }, hooks(), () => undefined);
  await whole.newestPoint(undefined, item);
  const site = createSiteActivities(rig.ports);
  const add = (deviceKey: number) => inActivity(() => site.addDisks({ item, deviceKeys: [deviceKey] }));
  await expect(codeOf(add(1))).resolves.toBe('DR_DISK_UNKNOWN');
  const joined = await add(second.deviceKey);
  expect(joined).toMatchObject({
    disks: [{ index: 0 }, { index: 1, joinedAtBarrier: 2 }],
    excludedDisks: [],
  });

  await whole.write(at(3));
  await runDelta(rig.ports, { item: joined, epoch: 3 }, hooks());
  const { point, hashes } = await whole.newestPoint(undefined, joined);
  expect(point.disks.map(({ diskId }) => diskId)).toEqual([first.diskId, second.diskId]);
  expect(hashes).toEqual(await whole.hashes());
});

test('a guest is quiesced when an application-consistent point is due; one that cannot be is told', async () => {
  const machine = await protectedMachine('quiesced');
  const item = { ...machine.item, policy: { ...machine.item.policy, appConsistentHours: 1 } };
  const move = createMoveActivities(rig.ports);
  let details: unknown;
  const session = (attempt: number) => {
    const input = { item, sessionEpoch: 1, endsAt: '2999-01-01T00:00:00.000Z', reportRecovery: false };
    const onHeartbeat = (next: unknown) => (details = next);
    const options = { attempt: attempt + 1, details, onHeartbeat };
    return inActivity(() => move.shipSession(input), options);
  };
  const newest = async () => (await latestBarrier(rig.ports.storage, item.itemId))?.consistency;
  const cycle = async (attempt: number) => {
    await expect(session(attempt)).rejects.toMatchObject({ type: 'NextCycle' });
    return newest();
  };
  expect(await cycle(1)).toBe('application');
  expect(await cycle(2)).toBe('crash');
  expect((details as ReplicationHeartbeat).appConsistency?.warning).toBeUndefined();

  await rig.practice.lab('POST', 'guest/tools', { machine: 'quiesced', tools: 'failing' });
  details = { ...(details as ReplicationHeartbeat), appConsistency: { nextAt: new Date(0).toISOString() } };
  const warning = { type: 'DR_HEALTH_NOT_QUIESCED' };
  expect(await session(3)).toMatchObject({ outcome: 'noticed', appConsistency: { warning } });
  expect(await newest()).toBe('crash');

  await rig.practice.lab('POST', 'guest/tools', { machine: 'quiesced', tools: 'running' });
  details = {
    ...(details as ReplicationHeartbeat),
    appConsistency: { nextAt: new Date(0).toISOString(), warning },
  };
  const mended = await session(4);
  expect(mended).toMatchObject({ outcome: 'noticed' });
  expect(mended).not.toHaveProperty('appConsistency.warning');
  expect(await newest()).toBe('application');
});

test('a delta that fails leaves no snapshot behind', async () => {
  const machine = await protectedMachine('failing');
  await machine.write(at(9));
  const refused = new Error('the export cannot be opened');
  const transport = { ...rig.ports.transport, open: () => Promise.reject(refused) };
  const delta = runDelta({ ...rig.ports, transport }, { item: machine.item, epoch: 2 }, hooks());
  await expect(delta).rejects.toBe(refused);
  expect(await machine.snapshotNames()).toEqual([]);
});
