import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { waitFor } from '../../lab/wait.ts';
import { grantRead, makeMachine, takeSnapshot } from './support/machine.ts';
import { codeOf, quick, startRig } from './support/rig.ts';
import type { Rig } from './support/rig.ts';

const GROUP = 'options';
let rig: Rig;

beforeAll(async () => {
  rig = await startRig();
  const { location } = rig.facts;
  await rig.clients.resources.resourceGroups.createOrUpdate(GROUP, { location });
  await rig.clients.resources.resourceGroups.createOrUpdate('elsewhere', { location });
});
afterAll(() => rig.close());

test('two machines never have the same disk, whoever asks first', async () => {
  const disk = await makeDisk('contested');
  const nics = await Promise.all(['contested-a', 'contested-b', 'contested-c'].map(makeNic));
  const asked = ['a', 'b'].map((name, index) =>
    codeOf(putVm(`contested-${name}`, [disk], nics[index] ?? '')),
  );
  expect((await Promise.all(asked)).sort()).toEqual(['ConflictingUserInput', 'it succeeded']);
  expect(await codeOf(putVm('contested-c', [disk], nics[2] ?? ''))).toBe('ConflictingUserInput');
  const free = await makeDisk('named-twice');
  expect(await codeOf(putVm('contested-c', [free, free], nics[2] ?? ''))).toBe('InvalidParameter');
});

test('a machine that is deleted takes along what its deleteOption says, and nothing else', async () => {
  const { compute, network } = rig.clients;
  const [os, data] = [await makeDisk('gone-os'), await makeDisk('kept-data')];
  const nic = await makeNic('gone-nic');
  await putVm('gone', [os, data], nic);
  await compute.virtualMachines.delete(GROUP, 'gone', { ...quick, forceDeletion: true });
  expect(await codeOf(compute.disks.get(GROUP, 'gone-os'))).toBe('ResourceNotFound');
  expect((await compute.disks.get(GROUP, 'kept-data')).diskState).toBe('Unattached');
  expect(await codeOf(network.networkInterfaces.get(GROUP, 'gone-nic'))).toBe('ResourceNotFound');
});

test('a zonal machine takes disks of its zone only, and a zone cannot be changed', async () => {
  const [zonal, regional] = [await makeDisk('zonal', { zones: ['2'] }), await makeDisk('regional')];
  const nic = await makeNic('zonal-nic');
  expect(await codeOf(makeDisk('nowhere', { zones: ['4'] }))).toBe('AvailabilityZoneNotSupported');
  const put = (disk: string, zones?: string[]) =>
    putVm('zonal', [disk], nic, zones === undefined ? {} : { zones });
  expect(await codeOf(put(zonal, ['1']))).toBe('BadRequest');
  expect(await codeOf(put(zonal))).toBe('BadRequest');
  expect(await codeOf(put(regional, ['2']))).toBe('BadRequest');
  expect(await put(zonal, ['2'])).toMatchObject({ zones: ['2'] });
});

test('an availability set tells its machines and sizes, and takes what fits', async () => {
  const { availabilitySets } = rig.clients.compute;
  const { location } = rig.facts;
  const aligned = { location, sku: { name: 'Aligned' }, platformFaultDomainCount: 2 };
  const set = (await availabilitySets.createOrUpdate(GROUP, 'set', aligned)).id ?? '';
  const other = (await availabilitySets.createOrUpdate('elsewhere', 'set', aligned)).id ?? '';
  const classic = (await availabilitySets.createOrUpdate(GROUP, 'classic', { location })).id ?? '';
  expect(await sizes()).toEqual(expect.arrayContaining(['Standard_B1s', 'Standard_D2s_v5']));
  expect(await sizes()).not.toContain('Standard_D16s_v5');

  const [disk, second] = [await makeDisk('in-set'), await makeDisk('second-in-set')];
  const [nic, secondNic] = [await makeNic('in-set-nic'), await makeNic('second-in-set-nic')];
  const put = (id: string, more = {}) => putVm('in-set', [disk], nic, { availabilitySet: { id }, ...more });
  expect(await codeOf(put(`${set}-absent`))).toBe('NotFound');
  expect(await codeOf(put(other))).toBe('InvalidParameter');
  expect(await codeOf(put(classic))).toBe('OperationNotAllowed');
  expect(await codeOf(put(set, { zones: ['1'] }))).toBe('BadRequest');
  const vm = await put(set);
  expect((await availabilitySets.get(GROUP, 'SET')).virtualMachines).toEqual([{ id: vm.id }]);
  expect(await sizes()).not.toContain('Standard_D2s_v5');
  const large = { availabilitySet: { id: set }, hardwareProfile: { vmSize: 'Standard_D2s_v5' } };
  expect(await codeOf(putVm('second', [second], secondNic, large))).toBe('AllocationFailed');
  expect(await codeOf(putVm('in-set', [disk], nic))).toBe('PropertyChangeNotAllowed');
  expect(await codeOf(availabilitySets.delete(GROUP, 'set'))).toBe('OperationNotAllowed');
  await rig.clients.compute.virtualMachines.delete(GROUP, 'in-set', quick);
  await availabilitySets.delete(GROUP, 'set');
  expect(await codeOf(availabilitySets.get(GROUP, 'set'))).toBe('ResourceNotFound');

  async function sizes(): Promise<string[]> {
    const found: string[] = [];
    for await (const { name = '' } of availabilitySets.listAvailableSizes(GROUP, 'set')) found.push(name);
    return found;
  }
});

test('a disk is of a kind that Azure has, and an operating system is not on every kind', async () => {
  const { compute } = rig.clients;
  await makeDisk('premium', { sku: { name: 'Premium_LRS' } });
  expect((await compute.disks.get(GROUP, 'premium')).sku).toEqual({ name: 'Premium_LRS', tier: 'Premium' });
  expect(await codeOf(makeDisk('unknown', { sku: { name: 'Gold_LRS' } }))).toBe('InvalidParameter');
  const fast = await makeDisk('fast', { sku: { name: 'PremiumV2_LRS' } });
  expect(await codeOf(putVm('fast', [fast], await makeNic('fast-nic')))).toBe('InvalidParameter');
  const creationData = { createOption: 'Copy', sourceResourceId: fast };
  const snapshot = { location: rig.facts.location, incremental: true, creationData };
  const premium = compute.snapshots.createOrUpdate(GROUP, 'fast', {
    ...snapshot,
    sku: { name: 'Premium_LRS' },
  });
  expect(await codeOf(premium)).toBe('InvalidParameter');

  await rig.lab('POST', '/settings', { snapshotCopyMs: 1_500 });
  await takeSnapshot(rig, GROUP, 'fast', fast);
  await rig.lab('POST', '/settings', { snapshotCopyMs: 0 });
  expect((await compute.snapshots.get(GROUP, 'fast')).completionPercent).toBeLessThan(100);
  expect(await codeOf(grantRead(rig, GROUP, 'fast'))).toBe('Conflict');
  const isWhole = async () => (await compute.snapshots.get(GROUP, 'fast')).completionPercent === 100;
  await waitFor(isWhole, { what: 'the background copy', withinMs: 10_000 });
  expect(await codeOf(grantRead(rig, GROUP, 'fast'))).toBe('it succeeded');
});

test('what may still be read is neither deleted nor started, and five of a family may be read', async () => {
  const { compute, resources } = rig.clients;
  const { diskIds, vm } = await makeMachine(rig, { group: 'shared' });
  const [disk = ''] = diskIds;
  const names = ['1', '2', '3', '4', '5', '6'];
  for (const name of names) await takeSnapshot(rig, 'shared', name, disk);
  const [first] = await Promise.all(names.slice(0, 5).map((name) => grantRead(rig, 'shared', name)));
  expect(await codeOf(grantRead(rig, 'shared', '6'))).toBe('OperationNotAllowed');
  expect(await grantRead(rig, 'shared', '1')).toBe(first);
  expect(await codeOf(compute.snapshots.delete('shared', '1', quick))).toBe('OperationNotAllowed');
  await compute.snapshots.revokeAccess('shared', '1', quick);
  await compute.snapshots.delete('shared', '1', quick);
  expect(await codeOf(grantRead(rig, 'shared', '6'))).toBe('it succeeded');

  await rig.lab('POST', '/settings', { snapshotsPerFiveMinutes: 7 });
  await takeSnapshot(rig, 'shared', '7', disk);
  const refused = await rawSnapshot('8', disk);
  expect(refused.status).toBe(429);
  await rig.lab('POST', '/settings', { snapshotsPerFiveMinutes: 0 });

  await compute.virtualMachines.deallocate('shared', vm, quick);
  await compute.disks.grantAccess('shared', 'vm-disk0', { access: 'Read', durationInSeconds: 60 }, quick);
  expect(await codeOf(compute.virtualMachines.start('shared', vm, quick))).toBe('OperationNotAllowed');
  await compute.disks.revokeAccess('shared', 'vm-disk0', quick);
  await compute.virtualMachines.start('shared', vm, quick);
  expect(await codeOf(resources.resourceGroups.delete('shared', quick))).toBe('OperationNotAllowed');
  for (const name of names.slice(1)) await compute.snapshots.revokeAccess('shared', name, quick);
  await resources.resourceGroups.delete('shared', quick);
  const files = await rig.lab<{ name: string }[]>('GET', '/disks');
  expect(files.map(({ name }) => name)).not.toContain('vm-disk0');
});

/** Without the SDK, which would wait and ask again. */
async function rawSnapshot(name: string, disk: string) {
  const { token } = await rig.clients.credential.getToken('https://management.azure.com/.default');
  const path = `/subscriptions/${rig.facts.subscriptionId}/resourceGroups/shared/providers/Microsoft.Compute/snapshots/${name}`;
  const creationData = { createOption: 'Copy', sourceResourceId: disk };
  return rig.raw('PUT', `${path}?api-version=2025-01-02`, {
    headers: { authorization: `Bearer ${token}` },
    body: { location: rig.facts.location, properties: { incremental: true, creationData } },
  });
}

async function makeDisk(
  name: string,
  more: { zones?: string[]; sku?: { name: string } } = {},
): Promise<string> {
  const body = {
    location: rig.facts.location,
    creationData: { createOption: 'Empty' },
    diskSizeGB: 1,
    ...more,
  };
  return (await rig.clients.compute.disks.createOrUpdate(GROUP, name, body, quick)).id ?? '';
}

async function makeNic(name: string): Promise<string> {
  const subnet = await rig.clients.network.subnets.get('practice-network', 'production', 'default');
  const ipConfigurations = [{ name: 'primary', subnet: { id: subnet.id ?? '' } }];
  const body = { location: rig.facts.location, ipConfigurations };
  return (await rig.clients.network.networkInterfaces.createOrUpdate(GROUP, name, body, quick)).id ?? '';
}

/** The operating system's disk and the interface go with the machine, data disks stay. */
function putVm(name: string, [os = '', ...data]: readonly string[], nic: string, more = {}) {
  return rig.clients.compute.virtualMachines.createOrUpdate(
    GROUP,
    name,
    {
      location: rig.facts.location,
      hardwareProfile: { vmSize: 'Standard_B1s' },
      storageProfile: {
        osDisk: { createOption: 'Attach', osType: 'Linux', managedDisk: { id: os }, deleteOption: 'Delete' },
        dataDisks: data.map((id, lun) => ({
          lun,
          createOption: 'Attach',
          managedDisk: { id },
          deleteOption: 'Detach',
        })),
      },
      networkProfile: { networkInterfaces: [{ id: nic, deleteOption: 'Delete' }] },
      ...more,
    },
    quick,
  );
}
