/** Machines come home: practice Azure to practice vCenter. The practice grounds' own hashes are the referees. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { runFirstCopy, runReverseDelta } from '../../activities/home/reverse-copy.ts';
import { barrierNumbers, latestBarrier } from '../../dataplane/journal/barriers.ts';
import type { Barrier } from '../../domain/replication.ts';
import { codeOf } from '../providers/vsphere/practice-vcenter.ts';
import { endedAfterBarrier } from './support/barrier-hold.ts';
import type { HomeWay } from '../../workflows/contracts/home.ts';
import { startHomeRig, type FailedOver, type HomeRig } from './support/home-rig.ts';
import { inActivity } from './support/in-activity.ts';
import { BLOCK_BYTES, at, hooks } from './support/replication-rig.ts';

const disk = { mib: 32 };
let home: HomeRig;

beforeAll(async () => {
  const names = ['drifted', 'reset', 'interrupted', 'diverged'];
  home = await startHomeRig([
    ...names.map((name) => ({ name, poweredOn: true, disks: [disk] })),
    { name: 'wide', poweredOn: true, disks: [disk, { mib: 8 }] },
  ]);
});
afterAll(() => home.stop());

/** Last delta of the stopped Azure machine, landed; answers its barrier. */
async function comeHome(out: FailedOver, way: Awaited<ReturnType<FailedOver['prepare']>>): Promise<number> {
  const { homeAzure, reverse, land } = home.activities;
  await inActivity(() => homeAzure.stopAzureMachine({ item: out.item, azure: out.side }));
  const { barrierNumber } = await inActivity(() => reverse.shipReverseFinal({ way, sessionEpoch: 90 }));
  await inActivity(() => land.landUntil({ way, sessionEpoch: 90, barrierNumber }));
  return barrierNumber;
}

test('to the original disks only changes travel, and drift at home is overwritten', async () => {
  const out = await home.failedOver('drifted');
  // Somebody starts the machine at home for a moment: it writes, and is switched off again.
  await out.machine.power('poweredOn');
  await out.machine.write(at(11));
  await out.machine.power('poweredOff');
  await out.writeInAzure(at(1));
  await out.clearInAzure(at(3));
  const { way, copy, wireBytes } = await out.reprotect();

  expect(copy).toBe('changes');
  expect(wireBytes).toBeLessThanOrEqual(1.3 * 3 * BLOCK_BYTES);
  expect(await out.machine.hashes()).toEqual(await out.azureHashes());

  await out.writeInAzure(at(9));
  const barrierNumber = await comeHome(out, way);
  expect(await out.machine.hashes()).toEqual(await out.azureHashes());
  const { reverse, land } = home.activities;
  const azure = await inActivity(() => reverse.hashAzureDisks({ way, barrierNumber }));
  expect(await inActivity(() => land.hashHomeDisks({ way }))).toEqual(azure);
  expect(azure.map(({ sha256 }) => sha256)).toEqual(await out.machine.hashes());
  expect(await barrierNumbers(home.reversePorts.storage, way.stream)).toEqual([barrierNumber]);
});

test('to original disks of which nothing is known any more, what differs travels', async () => {
  const out = await home.failedOver('reset');
  await home.rig.practice.lab('POST', 'cbt-reset', { machine: 'reset' });
  await out.writeInAzure(at(1));
  await out.writeInAzure(at(13));
  const { way, copy, wireBytes } = await out.reprotect();
  expect(copy).toBe('compare');
  expect(wireBytes).toBeLessThanOrEqual(1.3 * 2 * BLOCK_BYTES);
  await out.writeInAzure(at(5));
  await comeHome(out, way);
  expect(await out.machine.hashes()).toEqual(await out.azureHashes());
});

test('to a new machine everything travels, into disks of the same order and size', async () => {
  const out = await home.failedOver('wide');
  await out.writeInAzure(at(1));
  await out.writeInAzure(at(2), 1);
  const place = { alternate: { datastore: await datastore(), network: await network(), name: 'wide-again' } };
  const { way, copy } = await out.reprotect(place);
  expect(copy).toBe('full');
  await out.writeInAzure(at(3), 1);
  await comeHome(out, way);
  const { land } = home.activities;
  const digests = await inActivity(() => land.hashHomeDisks({ way }));
  expect(digests.map(({ sha256 }) => sha256)).toEqual(await out.azureHashes());
  expect(digests.map(({ bytes }) => bytes)).toEqual(out.item.disks.map((each) => each.capacityBytes));
});

test('a first copy interrupted between its windows goes on in the snapshots it began with', async () => {
  const out = await home.failedOver('interrupted');
  for (const mib of [2, 4, 6, 8]) await out.writeInAzure(at(mib));
  const way = await out.prepare();
  const { land, homeSite } = home.activities;
  await inActivity(() => land.describeHomeDisks({ way, epoch: 1 }));
  await inActivity(() => homeSite.openHomeForWriting({ way }));
  const controller = new AbortController();
  const ports = endedAfterBarrier(home.reversePorts, controller);
  const request = { way, copy: 'changes', windowBytes: BLOCK_BYTES } as const;
  const none = () => undefined;
  await expect(runFirstCopy(ports, { ...request, epoch: 1 }, hooks(controller), none)).rejects.toThrow(
    'ended by the test',
  );
  await out.writeInAzure(at(10));
  const made: Barrier[] = [];
  const add = (barrier: Barrier) => made.push(barrier);
  const point = await runFirstCopy(home.reversePorts, { ...request, epoch: 2 }, hooks(), add);

  expect(made.map(({ number, kind }) => `${number} ${kind}`)).toEqual([
    '2 progress',
    '3 progress',
    '4 point',
  ]);
  expect(new Set(made.map(({ snapshotName }) => snapshotName)).size).toBe(1);
  expect(made.map(({ disks }) => disks[0]?.readBytes)).toEqual([BLOCK_BYTES, BLOCK_BYTES, BLOCK_BYTES]);
  expect(await runFirstCopy(home.reversePorts, { ...request, epoch: 3 }, hooks(), none)).toEqual(point);
  await comeHome(out, way);
  expect(await out.machine.hashes()).toEqual(await out.azureHashes());
});

test('what somebody wrote at home is found by a resync, and an older attempt can write to neither side', async () => {
  const out = await home.failedOver('diverged');
  const { way } = await out.reprotect();
  const { reverse, land } = home.activities;
  const oldDelta = runReverseDelta(home.reversePorts, { way, epoch: 1 }, hooks());
  await expect(codeOf(oldDelta)).resolves.toBe('DR_REPLICATION_FENCED');
  await out.writeInAzure(at(2));
  await out.machine.power('poweredOn');
  await out.machine.write(at(15));
  await out.machine.power('poweredOff');

  await inActivity(() => land.describeHomeDisks({ way, epoch: 50, compareOnly: true }));
  const again = { way, sessionEpoch: 50, copy: 'compare', again: true } as const;
  const shipped = await inActivity(() => reverse.reverseFirstCopy(again));
  expect(await inActivity(() => reverse.reverseFirstCopy(again), { attempt: 2 })).toMatchObject({
    barrierNumber: shipped.barrierNumber,
  });
  expect(shipped.wireBytes).toBeLessThanOrEqual(1.3 * 2 * BLOCK_BYTES);
  await inActivity(() => land.landUntil({ way, sessionEpoch: 50, ...shipped }));
  expect(await out.machine.hashes()).toEqual(await out.azureHashes());

  await out.writeInAzure(at(4));
  const late = await runReverseDelta(home.reversePorts, { way, epoch: 2 ** 26 }, hooks());
  const landOld = () => land.landUntil({ way, sessionEpoch: 1, barrierNumber: late.number });
  await expect(codeOf(inActivity(landOld))).resolves.toBe('DR_REPLICATION_FENCED');
  expect(await snapshotNumbers(way)).toHaveLength(3);
  expect((await latestBarrier(home.reversePorts.storage, way.stream))?.number).toBe(late.number);
});

/** Of the Azure snapshots there are: the baseline, the last point's and the newest. */
async function snapshotNumbers({ item, azure }: HomeWay): Promise<string[]> {
  const { runId, resourceGroup, location } = azure;
  const scope = { runId, itemId: item.itemId, mode: 'real', resourceGroup, location } as const;
  return (await home.cloud.listSnapshots(scope)).map(({ name }) => name).toSorted();
}

async function datastore(): Promise<string> {
  const [first] = await home.rig.session.datastores();
  return first?.name ?? '';
}

async function network(): Promise<string> {
  const [first] = await home.rig.session.networkNames();
  return first ?? '';
}
