/** Machines come home: practice Azure to practice vCenter. The practice grounds' own hashes are the referees. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { startHomeRig, type FailedOver, type HomeRig } from './support/home-rig.ts';
import { inActivity } from './support/in-activity.ts';
import { BLOCK_BYTES, at } from './support/replication-rig.ts';

const disk = { mib: 32 };
let home: HomeRig;

beforeAll(async () => {
  const names = ['drifted', 'reset', 'late'];
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

async function datastore(): Promise<string> {
  const [first] = await home.rig.session.datastores();
  return first?.name ?? '';
}

async function network(): Promise<string> {
  const [first] = await home.rig.session.networkNames();
  return first ?? '';
}
