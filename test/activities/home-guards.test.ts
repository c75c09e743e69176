/** What keeps both sides from running at once, and what is told before a machine comes home. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createHomeSiteActivities } from '../../activities/home/create-home-site-activities.ts';
import { watchPower } from '../../activities/home/watch-power.ts';
import { DrError } from '../../domain/errors.ts';
import type { AzureSide, HomePlace } from '../../workflows/contracts/home.ts';
import { codeOf } from '../providers/vsphere/practice-vcenter.ts';
import { startHomeRig, type FailedOver, type HomeRig } from './support/home-rig.ts';
import { inActivity } from './support/in-activity.ts';
import type { Machine } from './support/replication-rig.ts';

const disk = { mib: 32 };
let home: HomeRig;
let out: FailedOver;

beforeAll(async () => {
  home = await startHomeRig([
    { name: 'fenced', poweredOn: true, disks: [disk] },
    { name: 'watched', poweredOn: false, disks: [disk] },
    { name: 'unready', poweredOn: true, disks: [disk], snapshots: ['of somebody else'] },
    { name: 'taken', poweredOn: false, disks: [{ mib: 4 }] },
  ]);
  out = await home.failedOver('fenced');
});
afterAll(() => home.stop());

test('either side is started only by whoever holds the fence with that very number', async () => {
  const { homeAzure, homeSite } = home.activities;
  const { item, side } = out;
  const { machineId } = item;
  const take = (owner: 'onPremises' | 'azure', number: number) =>
    codeOf(inActivity(() => homeAzure.takeFence({ item, owner, number })));
  const powerOn = (fence: number) =>
    codeOf(inActivity(() => homeSite.powerOnHome({ item, machineId, fence })));
  const start = (fence: number) =>
    codeOf(inActivity(() => homeAzure.startAzureMachine({ item, azure: side, fence })));

  expect(await take('azure', 5)).toBe('succeeded');
  expect(await take('azure', 5)).toBe('succeeded');
  expect(await take('onPremises', 5)).toBe('DR_FENCE_HELD');
  expect(await take('onPremises', 4)).toBe('DR_FENCE_HELD');
  expect(await powerOn(5)).toBe('DR_FENCE_HELD');
  expect(await start(4)).toBe('DR_FENCE_HELD');
  expect(await start(5)).toBe('succeeded');
  expect(await inActivity(() => homeSite.homePowerState({ item, machineId }))).toEqual({
    state: 'poweredOff',
  });

  expect(await inActivity(() => homeAzure.stopAzureMachine({ item, azure: side }))).toEqual({
    state: 'deallocated',
  });
  expect(await take('onPremises', 6)).toBe('succeeded');
  expect(await start(5)).toBe('DR_FENCE_HELD');
  expect(await start(6)).toBe('DR_FENCE_HELD');
  expect(await home.cloud.vm(side.vmId)).toMatchObject({ powerState: 'deallocated' });
  expect(await powerOn(6)).toBe('succeeded');
  expect(await inActivity(() => homeAzure.readFence({ item }))).toEqual({ owner: 'onPremises', number: 6 });
  await inActivity(() => homeSite.powerOffHome({ item, machineId, graceSeconds: 0 }));
});

test('a power-on that was overtaken is taken back', async () => {
  const { homeAzure } = home.activities;
  const { item } = out;
  const { machineId } = item;
  await inActivity(() => homeAzure.takeFence({ item, owner: 'onPremises', number: 10 }));
  const { ports } = home.rig;
  let looks = 0;
  const storage: typeof ports.storage = {
    ...ports.storage,
    get: async (name, signal) => {
      looks += name.startsWith('fences/') ? 1 : 0;
      if (looks === 2) await inActivity(() => homeAzure.takeFence({ item, owner: 'azure', number: 11 }));
      return ports.storage.get(name, signal);
    },
  };
  const link = { wanted: 'any', host: 'localhost' } as const;
  const overtaken = createHomeSiteActivities({ ...ports, storage, link });
  const powerOn = inActivity(() => overtaken.powerOnHome({ item, machineId, fence: 10 }));
  await expect(codeOf(powerOn)).resolves.toBe('DR_FENCE_HELD');
  expect(await home.rig.session.powerState(machineId)).toBe('poweredOff');
});

test('a machine that is powered on behind our back is noticed, also after vCenter was out of reach', async () => {
  const machine = await home.rig.machine('watched');
  let looks = 0;
  const openSession = async () => {
    looks += 1;
    if (looks === 2) throw new DrError('DR_VCENTER_UNREACHABLE', { url: 'u', reason: 'no answer' });
    if (looks === 3) await machine.power('poweredOn');
    return home.rig.session;
  };
  const { machineId } = machine.item;
  const watched = { machineIds: [machineId], last: 'off', endsAt: '2999-01-01T00:00:00.000Z' } as const;
  expect(await watchPower(openSession, watched, new AbortController().signal, 1)).toBe('on');
  expect(looks).toBe(3);
  const ended = { ...watched, last: 'on', endsAt: new Date().toISOString() } as const;
  expect(await watchPower(openSession, ended, new AbortController().signal, 1)).toBe('sessionEnded');
  await machine.power('poweredOff');
  expect(await watchPower(openSession, { ...watched, last: 'on' }, new AbortController().signal, 1)).toBe(
    'off',
  );
});

test('a look-out that sees nothing any more says so, and again when it sees', async () => {
  const { machine } = out;
  let isAway = true;
  const openSession = async () => {
    if (isAway) throw new DrError('DR_VCENTER_UNREACHABLE', { url: 'u', reason: 'no answer' });
    return home.rig.session;
  };
  const { machineId } = machine.item;
  const watched = { machineIds: [machineId], last: 'off', endsAt: '2999-01-01T00:00:00.000Z' } as const;
  const { signal } = new AbortController();
  expect(await watchPower(openSession, watched, signal, 1, 20)).toBe('unseen');
  isAway = false;
  expect(await watchPower(openSession, { ...watched, last: 'unseen' }, signal, 1, 20)).toBe('off');
});

async function problems(machine: Machine, place: HomePlace, link = 'required' as 'required' | 'any') {
  const { ports } = home.rig;
  const activities = createHomeSiteActivities({ ...ports, link: { wanted: link, host: '192.0.2.1' } });
  const item = machine.item;
  const azure: AzureSide = out.side;
  const found = await inActivity(() => activities.checkHome({ item, azure, place }));
  return found.map(({ code }) => code).toSorted();
}

test('everything that is missing on the site is told at once', async () => {
  const id = await home.rig.practice.machineId('unready');
  const { item } = out;
  const unready = {
    ...out.machine,
    item: { ...item, machineId: id, itemId: item.itemId, disks: item.disks },
  };
  expect(await problems(unready, {})).toEqual([
    'DR_FAILBACK_LINK_MISSING',
    'DR_MACHINE_FOREIGN_SNAPSHOT',
    'DR_SOURCE_RUNS',
  ]);
  const alternate = { datastore: 'nowhere', network: 'nothing', name: 'taken' };
  expect(await problems(unready, { alternate }, 'any')).toEqual([
    'DR_NAME_TAKEN',
    'DR_SOURCE_RUNS',
    'DR_VCENTER_PLACE_UNKNOWN',
    'DR_VCENTER_PLACE_UNKNOWN',
  ]);
  const [datastore] = await home.rig.session.datastores();
  const [network = ''] = await home.rig.session.networkNames();
  const large = item.disks.map((each) => ({ ...each, capacityBytes: datastore?.capacityBytes ?? 0 }));
  const tooLarge = { ...out.machine, item: { ...item, disks: large } };
  const name = 'not taken';
  expect(
    await problems(tooLarge, { alternate: { datastore: datastore?.name ?? '', network, name } }, 'any'),
  ).toEqual(['DR_DATASTORE_FULL']);
  expect(await problems(tooLarge, {}, 'any')).toEqual(['DR_FAILBACK_DISKS_CHANGED']);
  const physical = { ...out.machine, item: { ...item, isPhysical: true as const } };
  expect(await problems(physical, {}, 'any')).toEqual(['DR_FAILBACK_PHYSICAL']);
  expect(await problems(out.machine, {}, 'any')).toEqual([]);
});

test('what is missing in Azure is told at once', async () => {
  const { homeAzure } = home.activities;
  const { item, side } = out;
  expect(await inActivity(() => homeAzure.checkAzureSide({ item, azure: side }))).toEqual([]);
  const gone = (id: string) => `${id}-gone`;
  const azure = { ...side, vmId: gone(side.vmId), diskIds: side.diskIds.map(gone) };
  const found = await inActivity(() => homeAzure.checkAzureSide({ item, azure }));
  expect(found.map(({ code }) => code)).toEqual(['DR_AZURE_MACHINE_GONE', 'DR_AZURE_MACHINE_GONE']);
});

test('a machine that was made for a way home goes with it, the original only loses its mark', async () => {
  const { session } = home.rig;
  const { homeSite } = home.activities;
  const { item } = out;
  const [datastore] = await session.datastores();
  const [network = ''] = await session.networkNames();
  const way = await out.prepare(
    { alternate: { datastore: datastore?.name ?? '', network, name: 'made' } },
    4,
  );
  expect(
    await out.prepare({ alternate: { datastore: datastore?.name ?? '', network, name: 'made' } }, 4),
  ).toEqual(way);
  await inActivity(() => homeSite.releaseHomeMachine({ item, generation: 4 }));
  expect(await session.findMachine(way.home.machineId)).toBeNull();
  const original = await out.prepare({}, 5);
  await inActivity(() => homeSite.releaseHomeMachine({ item, generation: 5, way: original }));
  expect(await session.findMachine(item.machineId)).toMatchObject({ name: 'fenced' });
});

test('cancelling goes back to the disks as they were landed', async () => {
  const { homeSite } = home.activities;
  const way = await out.prepare({}, 6);
  const before = await out.machine.hashes();
  const { name } = await inActivity(() => homeSite.takeSafetySnapshot({ way, barrierNumber: 3 }));
  await out.machine.power('poweredOn');
  await out.machine.write(2 ** 20);
  await out.machine.power('poweredOff');
  expect(await out.machine.hashes()).not.toEqual(before);
  expect(await out.machine.snapshotNames()).toEqual([name]);
  const revert = (mayBeGone: boolean) =>
    inActivity(() => homeSite.revertToSafetySnapshot({ way, name, mayBeGone }));
  await revert(false);
  await revert(false);
  expect(await out.machine.hashes()).toEqual(before);
  await inActivity(() => homeSite.dropSafetySnapshot({ way, name }));
  await inActivity(() => homeSite.dropSafetySnapshot({ way, name }));
  expect(await out.machine.snapshotNames()).toEqual([]);
  await revert(true);
  await expect(revert(false)).rejects.toMatchObject({ code: 'DR_VCENTER_PLACE_UNKNOWN' });
});
