/** Deltas on a practice vCenter, whole, interrupted and late; its hash of the frozen disk is the referee. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { runDelta, type DeltaRequest } from '../../activities/replication/delta.ts';
import { latestBarrier, readBarrier } from '../../dataplane/journal/barriers.ts';
import { SEGMENT_WIRE_BYTES_MAX } from '../../dataplane/segment/layout.ts';
import { CacheLevel } from '../../dataplane/ship/cache-level.ts';
import { createMoveActivities } from '../../activities/replication/create-move-activities.ts';
import { Egress } from '../../dataplane/egress/egress.ts';
import { blobNames, snapshotName } from '../../domain/names.ts';
import { codeOf } from '../providers/vsphere/practice-vcenter.ts';
import { endedAfterBarrier, heldAt, heldAtBarrier } from './support/barrier-hold.ts';
import { reconfigureDisk, virtualDisk } from './support/disks.ts';
import { inActivity } from './support/in-activity.ts';
import {
  BLOCK_BYTES,
  at,
  firstPoint,
  hooks,
  readBytesOf,
  startReplicationRig,
  type Machine,
  type ReplicationRig,
} from './support/replication-rig.ts';

const disk = { mib: 32 };

let rig: ReplicationRig;
beforeAll(async () => {
  const names = ['reset', 'interrupted', 'late', 'grown', 'shrunk', 'first', 'second'];
  rig = await startReplicationRig([
    ...names.map((name) => ({ name, poweredOn: true, disks: [disk] })),
    { name: 'wide', poweredOn: true, disks: [disk, disk] },
  ]);
});
afterAll(() => rig.stop());

/** A machine with a recovery point of blocks at 1, 3 and 5 MiB. */
async function protectedMachine(name: string): Promise<Machine> {
  const machine = await rig.machine(name);
  for (const mib of [1, 3, 5]) await machine.write(at(mib));
  await firstPoint(rig.ports, machine);
  return machine;
}

const delta = (machine: Machine, request: Omit<DeltaRequest, 'item'>) =>
  runDelta(rig.ports, { item: machine.item, ...request }, hooks());

test('after change tracking restarted the next delta reads everything', async () => {
  const machine = await protectedMachine('reset');
  await machine.write(at(7));
  await machine.zero(at(3));
  await rig.practice.lab('POST', 'cbt-reset', { machine: 'reset' });
  await machine.write(at(9));
  const barrier = await delta(machine, { epoch: 2 });

  expect(readBytesOf([barrier])).toBeGreaterThanOrEqual(4 * BLOCK_BYTES);
  const { point, hashes } = await machine.newestPoint();
  expect(point.barrierNumber).toBe(2);
  expect(hashes).toEqual(await machine.hashes(barrier.snapshotName));
});

test('a delta beyond a window goes in several barriers and makes one point', async () => {
  const machine = await protectedMachine('wide');
  for (const mib of [3, 7, 9]) await machine.write(at(mib));
  await machine.write(at(2), 1);
  const barrier = await delta(machine, { epoch: 2, windowBytes: BLOCK_BYTES });
  await machine.write(at(3));

  expect(barrier).toMatchObject({ number: 4, kind: 'point' });
  for (const number of [2, 3]) {
    const window = await readBarrier(rig.ports.storage, machine.item.itemId, number);
    expect(window?.kind).toBe('progress');
  }
  expect((await machine.newestPoint()).hashes).toEqual(await machine.hashes(barrier.snapshotName));
  expect((await machine.points()).map((point) => point.barrierNumber)).toEqual([4, 1]);
});

test('a delta interrupted between its windows misses nothing the next time', async () => {
  const machine = await protectedMachine('interrupted');
  for (const mib of [3, 7, 9]) await machine.write(at(mib));
  const controller = new AbortController();
  const ports = endedAfterBarrier(rig.ports, controller);
  const request = { item: machine.item, epoch: 2, windowBytes: BLOCK_BYTES };
  await expect(runDelta(ports, request, hooks(controller))).rejects.toThrow('ended by the test');
  const left = await latestBarrier(rig.ports.storage, machine.item.itemId);
  expect(left).toMatchObject({ number: 2, kind: 'progress' });

  await machine.zero(at(3));
  await machine.write(at(11));
  const barrier = await delta(machine, { epoch: 3 });
  expect((await machine.newestPoint()).hashes).toEqual(await machine.hashes(barrier.snapshotName));
  expect(await machine.snapshotNames()).toEqual([]);
});

test('an old attempt that finishes late leaves the snapshot of the newer one', async () => {
  const machine = await protectedMachine('late');
  const { item } = machine;
  const old = heldAtBarrier(rig.ports);
  const oldAttempt = runDelta(old.ports, { item, epoch: 2 }, hooks());
  await old.reached(oldAttempt);
  await delta(machine, { epoch: 3 });
  await machine.write(at(7));
  const newer = heldAtBarrier(rig.ports);
  const newerAttempt = runDelta(newer.ports, { item, epoch: 4 }, hooks());
  await newer.reached(newerAttempt);

  old.release();
  expect(await oldAttempt).toMatchObject({ number: 2, epoch: 3 });
  expect(await machine.snapshotNames()).toEqual([snapshotName(item.itemId, 3)]);
  newer.release();
  expect(await newerAttempt).toMatchObject({ number: 3, epoch: 4 });
  expect(await machine.snapshotNames()).toEqual([]);
});

test.each([
  [
    'grown',
    'grew',
    async (machine: Machine) => ({ operation: 'edit', device: await virtualDisk(rig, machine, at(64)) }),
  ],
  [
    'shrunk',
    'vanished',
    async (machine: Machine) => ({ operation: 'remove', device: await virtualDisk(rig, machine, at(32)) }),
  ],
])('of machine %s, whose disk %s, nothing is shipped', async (name, _, changeOf) => {
  const machine = await protectedMachine(name);
  const { item } = machine;
  await machine.write(at(7));
  await reconfigureDisk(rig, machine, await changeOf(machine));
  expect(await codeOf(delta(machine, { epoch: 2 }))).toBe('DR_MACHINE_DISK_CHANGED');
  expect((await latestBarrier(rig.ports.storage, item.itemId))?.number).toBe(1);
  const journal = item.disks.map(({ diskId }) => blobNames.journalPrefix(diskId));
  for (const prefix of journal) {
    const blobs = await Array.fromAsync(rig.ports.storage.list(prefix));
    expect(blobs.filter((blob) => blob.name.includes('/0000000000000002/'))).toEqual([]);
  }
});

test('while the cache is full a delta ends without its snapshot, health says why, and nothing is lost', async () => {
  const [first, second] = [await protectedMachine('first'), await protectedMachine('second')];
  const level = new CacheLevel({ high: SEGMENT_WIRE_BYTES_MAX, low: 0 });
  const ports = { ...rig.ports, cache: { ...rig.ports.cache, level } };
  for (const machine of [first, second]) await machine.write(at(7));
  const slow = heldAt(ports, (blob) => blob.startsWith('journal/'));
  const slowDelta = runDelta(slow.ports, { item: first.item, epoch: 2 }, hooks());
  await slow.reached(slowDelta);
  const { item } = second;
  expect(await codeOf(runDelta(ports, { item, epoch: 2 }, hooks()))).toBe('DR_REPLICATION_DEFERRED');
  expect(level.counters).toMatchObject({ timesFull: 1, deferredCycles: 1, deferredRanges: 1 });
  expect(await second.snapshotNames()).toEqual([]);

  const move = createMoveActivities(ports);
  const session = { item, sessionEpoch: 1, endsAt: '2100-01-01T00:00:00.000Z', reportRecovery: false };
  const condition = { type: 'DR_REPLICATION_DEFERRED', category: 'warning' };
  expect(await inActivity(() => move.shipSession(session))).toMatchObject({ outcome: 'stopped', condition });
  const shown = inActivity(() => move.shipSession({ ...session, reportRecovery: true }), { attempt: 2 });
  await expect(shown).rejects.toMatchObject({ type: 'NextCycle' });
  expect((await latestBarrier(rig.ports.storage, item.itemId))?.number).toBe(1);

  await second.write(at(9));
  slow.release();
  expect((await slowDelta).number).toBe(2);
  const barrier = await runDelta(ports, { item, epoch: 2 ** 20 + 3 }, hooks());
  expect((await second.newestPoint()).hashes).toEqual(await second.hashes(barrier.snapshotName));
  expect(level.counters.waitingBytes).toBe(0);

  const schedule = { rate: 'paused', windows: [] } as const;
  const paused = { ...rig.ports, egress: new Egress({ schedule }) };
  expect(await codeOf(runDelta(paused, { item, epoch: 2 ** 20 + 4 }, hooks()))).toBe(
    'DR_REPLICATION_DEFERRED',
  );
  expect(await second.snapshotNames()).toEqual([]);
});
