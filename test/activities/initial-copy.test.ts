/** First copies that are interrupted, on a practice vCenter; its hash of the frozen disk is the referee. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { runInitialCopy } from '../../activities/replication/initial-copy.ts';
import { snapshotName } from '../../domain/names.ts';
import type { Barrier } from '../../domain/replication.ts';
import {
  BLOCK_BYTES,
  at,
  hooks,
  readBytesOf,
  startReplicationRig,
  type Machine,
  type ReplicationRig,
} from './support/replication-rig.ts';

/** Three windows of 256 MiB: two end in a progress barrier, the last in the point. */
const DISK_MIB = 600;
const IN_WINDOW = { first: at(10), second: at(300), third: at(550) };

let rig: ReplicationRig;
beforeAll(async () => {
  const sparse = { poweredOn: true, disks: [{ mib: DISK_MIB }] };
  rig = await startReplicationRig([
    { name: 'lost', ...sparse },
    { name: 'kept', ...sparse },
    { name: 'unasked', ...sparse },
  ]);
});
afterAll(() => rig.stop());

/** One attempt; with `endAfter` it is ended as soon as it has made so many barriers. */
async function attempt(machine: Machine, epoch: number, endAfter = Infinity): Promise<Barrier[]> {
  const controller = new AbortController();
  const made: Barrier[] = [];
  const copy = runInitialCopy(rig.ports, { item: machine.item, epoch }, hooks(controller), (barrier) => {
    made.push(barrier);
    if (made.length === endAfter) controller.abort(new Error('ended by the test'));
  });
  if (endAfter === Infinity) await copy;
  else await expect(copy).rejects.toThrow('ended by the test');
  return made;
}

async function machineWithData(name: string): Promise<Machine> {
  const machine = await rig.machine(name);
  for (const offset of Object.values(IN_WINDOW)) await machine.write(offset);
  return machine;
}

test('a first copy goes on from its last barrier while its snapshot exists', async () => {
  const machine = await machineWithData('kept');
  const before = await attempt(machine, 1, 1);
  await machine.write(IN_WINDOW.first);
  await machine.write(IN_WINDOW.second);
  const after = await attempt(machine, 2);

  expect(before.map((barrier) => barrier.kind)).toEqual(['progress']);
  expect(after.map((barrier) => barrier.kind)).toEqual(['progress', 'point']);
  expect(readBytesOf(before)).toBe(BLOCK_BYTES);
  expect(readBytesOf(after)).toBe(2 * BLOCK_BYTES);
  const frozen = await machine.hashes(snapshotName(machine.item.itemId, 1));
  expect((await machine.newestPoint()).hashes).toEqual(frozen);
  expect(await machine.snapshotNames()).toEqual([]);
});

test('a first copy that lost its snapshot starts over and clears what only the lost one held', async () => {
  const machine = await machineWithData('lost');
  await attempt(machine, 1, 2);
  const { machineId, itemId } = machine.item;
  await rig.session.removeSnapshots(machineId, itemId, null, () => undefined);
  await machine.zero(IN_WINDOW.first);
  await machine.zero(IN_WINDOW.second);

  const [again] = await attempt(machine, 2, 1);
  expect(again?.snapshotName).toBe(snapshotName(itemId, 3));
  const last = await attempt(machine, 3);
  expect(last.map((barrier) => barrier.snapshotName)).toEqual([again?.snapshotName, again?.snapshotName]);
  expect((await machine.newestPoint()).hashes).toEqual(await machine.hashes(again?.snapshotName));
});

test('a first copy that is done is not done again', async () => {
  const machine = await machineWithData('unasked');
  const made = await attempt(machine, 1);
  expect(await attempt(machine, 2)).toEqual([]);
  expect(made.at(-1)?.kind).toBe('point');
});
