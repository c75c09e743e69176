/** The last delta of a failover against what earlier attempts left or still do; the powered-off disk is the referee. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { runDelta, runFinalDelta } from '../../activities/replication/delta.ts';
import { finalSnapshotName, snapshotName } from '../../domain/names.ts';
import { heldAtBarrier } from './support/barrier-hold.ts';
import {
  at,
  firstPoint,
  hooks,
  startReplicationRig,
  type Machine,
  type ReplicationRig,
} from './support/replication-rig.ts';

let rig: ReplicationRig;
beforeAll(async () => {
  const names = ['left', 'left-final', 'raced', 'raced-final'];
  rig = await startReplicationRig(names.map((name) => ({ name, poweredOn: true, disks: [{ mib: 32 }] })));
});
afterAll(() => rig.stop());

async function protectedMachine(name: string): Promise<Machine> {
  const machine = await rig.machine(name);
  await machine.write(at(1));
  await firstPoint(rig.ports, machine);
  await machine.write(at(3));
  return machine;
}

async function writeAndCutPower(machine: Machine): Promise<void> {
  await machine.write(at(1));
  await machine.write(at(5));
  await machine.power('poweredOff');
}

test.each([
  ['left', 'an interrupted cycle', snapshotName],
  ['left-final', 'an earlier failover', finalSnapshotName],
])('the last delta of machine %s does not read from the snapshot that %s left', async (name, _, nameOf) => {
  const machine = await protectedMachine(name);
  const { item } = machine;
  const left = { name: nameOf(item.itemId, 2), description: '', quiesce: false };
  await rig.session.createSnapshot(item.machineId, left, () => undefined);
  await writeAndCutPower(machine);
  const barrier = await runFinalDelta(rig.ports, { item, epoch: 2 }, hooks());

  const { point, hashes } = await machine.newestPoint();
  expect(point.barrierNumber).toBe(barrier.number);
  expect(hashes).toEqual(await machine.hashes());
  expect(await machine.snapshotNames()).toEqual([]);
});

test.each([
  ['raced', 'a cycle', runDelta],
  ['raced-final', 'an earlier failover', runFinalDelta],
])('the last delta of machine %s does not settle for the barrier of %s', async (name, _, runOld) => {
  const machine = await protectedMachine(name);
  const { item } = machine;
  const old = heldAtBarrier(rig.ports);
  const oldAttempt = runOld(old.ports, { item, epoch: 2 }, hooks());
  await old.reached(oldAttempt);
  await writeAndCutPower(machine);
  const final = heldAtBarrier(rig.ports);
  const finalAttempt = runFinalDelta(final.ports, { item, epoch: 3 }, hooks());
  await final.reached(finalAttempt);
  old.release();
  expect(await oldAttempt).toMatchObject({ number: 2, epoch: 2 });
  final.release();

  const barrier = await finalAttempt;
  expect(barrier).toMatchObject({ number: 3, epoch: 3, snapshotName: finalSnapshotName(item.itemId, 3) });
  const { point, hashes } = await machine.newestPoint();
  expect(point.barrierNumber).toBe(3);
  expect(hashes).toEqual(await machine.hashes());
});
