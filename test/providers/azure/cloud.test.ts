import { ComputeManagementClient } from '@azure/arm-compute';
import { NetworkManagementClient } from '@azure/arm-network';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { vhdFooter } from '../../../dataplane/apply/vhd-footer.ts';
import type { ErrorCode } from '../../../domain/errors.ts';
import { asId } from '../../../domain/ids.ts';
import type { DiskId, ProtectedItemId, RunId } from '../../../domain/ids.ts';
import { azureNames } from '../../../domain/names.ts';
import { Secret } from '../../../domain/ports.ts';
import type { BegunOperation, Cloud, RunScope } from '../../../domain/ports.ts';
import { MiB } from '../../../domain/units.ts';
import { createCloud } from '../../../providers/azure/cloud/cloud.ts';
import { createVaultStorage, ensureContainer } from '../../../providers/azure/storage/vault-storage.ts';
import { startPracticeCloud } from './support/practice-cloud.ts';
import type { PracticeCloud } from './support/practice-cloud.ts';

const DISK_BYTES = 4 * MiB;
const never = new AbortController().signal;
const quiet = () => undefined;
const failsWith = (code: ErrorCode) => expect.objectContaining({ code });

let practice: PracticeCloud;
let cloud: Cloud;
let sourceUrl: string;
let counter = 0;

beforeAll(async () => {
  practice = await startPracticeCloud();
  await ensureContainer(practice.storage);
  sourceUrl = await stageVhd();
  cloud = practice.cloud();
});

afterEach(async () => {
  await practice.lab('DELETE', '/_lab/faults');
  await practice.lab('POST', '/_lab/settings', { quotas: { standardDSv5Family: 64 }, operationMs: 0 });
});

afterAll(async () => {
  await practice.stop();
});

async function stageVhd(): Promise<string> {
  const blob = createVaultStorage(practice.storage).replica('failover/run/disk.vhd');
  await blob.create(DISK_BYTES + 512);
  const writer = await blob.fence(1, never);
  await writer.write(0, Buffer.alloc(MiB, 7));
  await writer.write(DISK_BYTES, vhdFooter(DISK_BYTES, asId<DiskId>('0'.repeat(32))));
  await writer.release();
  return blob.url;
}

function newScope(mode: RunScope['mode'] = 'test'): RunScope {
  counter += 1;
  const runId = asId<RunId>(`run-${counter}`);
  const itemId = asId<ProtectedItemId>('5001a2b3-0000-4000-8000-000000000001');
  return { runId, itemId, mode, resourceGroup: azureNames.resourceGroup(runId), location: practice.location };
}

async function newGroup(mode?: RunScope['mode']): Promise<RunScope> {
  const scope = newScope(mode);
  await cloud.ensureResourceGroup(scope);
  return scope;
}

const diskOf = (name: string, isOsDisk = true) =>
  ({ name, sourceUrl, isOsDisk, osType: 'Linux', generation: 'V2' }) as const;

async function importDisk(scope: RunScope, name = 'web-disk0'): Promise<string> {
  const begun = await cloud.beginDiskImport(scope, diskOf(name, name.endsWith('0')));
  return (await cloud.awaitDisk(begun, quiet, never)).resourceId;
}

async function createNic(scope: RunScope, name = 'web-nic0'): Promise<string> {
  const begun = await cloud.beginNic(scope, { name, subnetId: practice.subnets.isolated });
  return (await cloud.awaitNic(begun, quiet, never)).resourceId;
}

async function vmRequest(scope: RunScope, size = 'Standard_D2s_v5') {
  const [diskId, nicId] = [await importDisk(scope), await createNic(scope)];
  return { name: 'web', size, osType: 'Linux', diskIds: [diskId], nicId } as const;
}

async function lastSequence(): Promise<number> {
  return (await practice.requestsSince(0)).at(-1)?.sequence ?? 0;
}

/** Through JSON, as a workflow's history keeps it. */
const remembered = (begun: BegunOperation) => JSON.parse(JSON.stringify(begun)) as BegunOperation;

async function deleteGroup(scope: RunScope): Promise<void> {
  await cloud.awaitDeleted(await cloud.beginDeleteResourceGroup(scope), quiet, never);
}

describe('a run', () => {
  test('builds a machine from disks, begun here and awaited elsewhere, with one PUT each, and is gone after deletion', async () => {
    await practice.lab('POST', '/_lab/settings', { operationMs: 100 });
    const scope = newScope();
    const since = await lastSequence();
    await cloud.ensureResourceGroup(scope);
    const begunDisks = [
      await cloud.beginDiskImport(scope, diskOf('web-disk0')),
      await cloud.beginDiskImport(scope, diskOf('web-disk1', false)),
    ];
    const begunNic = await cloud.beginNic(scope, { name: 'web-nic0', subnetId: practice.subnets.isolated });
    const diskIds: string[] = [];
    for (const begun of begunDisks) {
      const disk = await practice.cloud().awaitDisk(remembered(begun), quiet, never);
      expect(disk.bytes).toBe(DISK_BYTES);
      diskIds.push(disk.resourceId);
    }
    const nic = await practice.cloud().awaitNic(remembered(begunNic), quiet, never);
    expect(nic.privateIpAddress).toMatch(/^10\.99\.1\.\d+$/);
    const begunVm = await cloud.beginVm(scope, {
      name: 'web-test',
      size: 'Standard_D2s_v5',
      osType: 'Linux',
      diskIds,
      nicId: nic.resourceId,
    });
    let signsOfLife = 0;
    const vm = await practice.cloud().awaitVmRunning(remembered(begunVm), () => (signsOfLife += 1), never);
    expect(vm).toMatchObject({ provisioningState: 'Succeeded', powerState: 'running' });
    expect(signsOfLife).toBeGreaterThan(0);
    for (const begun of [...begunDisks, begunNic, begunVm]) {
      expect(begun.poller).toEqual(expect.any(String));
      expect(begun.poller).not.toMatch(/bearer|eyJ|sig=/i);
      expect(begun.poller).not.toContain(practice.clientSecret);
    }
    const puts = (await practice.requestsSince(since)).filter(({ method }) => method === 'PUT');
    expect(puts.map(({ path }) => path.split('/').at(-1))).toEqual([
      scope.resourceGroup,
      'web-disk0',
      'web-disk1',
      'web-nic0',
      'web-test',
    ]);
    await expect(cloud.listByRun(scope.runId)).resolves.toHaveLength(5);

    await deleteGroup(scope);
    await expect(cloud.listByRun(scope.runId)).resolves.toEqual([]);
    await expect(cloud.vm(vm.resourceId)).resolves.toBeNull();
    await expect(cloud.beginDeleteResourceGroup(scope)).resolves.toMatchObject({ poller: null });
  });

  test('adopts what it made before a crash: no second PUT', async () => {
    const scope = await newGroup();
    const request = await vmRequest(scope);
    const first = await cloud.beginVm(scope, request);
    const since = await lastSequence();
    const again = await practice.cloud().beginVm(scope, request);
    expect(again).toEqual({ resourceId: first.resourceId, poller: null });
    await expect(practice.cloud().awaitVmRunning(again, quiet, never)).resolves.toMatchObject({
      powerState: 'running',
    });
    await expect(practice.cloud().beginVm(scope, request)).resolves.toEqual(again);
    expect(await practice.requestsSince(since)).toEqual([]);
    await deleteGroup(scope);
  });

  test('a connection cut after the PUT was accepted leads to one resource', async () => {
    const scope = await newGroup();
    await practice.lab('POST', '/_lab/faults', {
      method: 'PUT',
      path: '/disks/',
      resetConnection: true,
      count: 1,
    });
    const diskId = await importDisk(scope);
    expect((await cloud.listByRun(scope.runId)).filter((id) => id.includes('/disks/'))).toEqual([diskId]);
    await deleteGroup(scope);
  });

  test('goes on over a restart of Azure: the operation is found again', async () => {
    await practice.lab('POST', '/_lab/settings', { importMs: 1_000 });
    const scope = await newGroup();
    const begun = await cloud.beginDiskImport(scope, diskOf('web-disk0'));
    await practice.killArm();
    await practice.restartArm();
    await practice.lab('POST', '/_lab/settings', { importMs: 0 });
    await expect(practice.cloud().awaitDisk(begun, quiet, never)).resolves.toMatchObject({
      bytes: DISK_BYTES,
    });
    await deleteGroup(scope);
  });

  test('looks at the resource itself when Azure does not know the operation, or its state is spoilt', async () => {
    const scope = await newGroup();
    const begun = await cloud.beginDiskImport(scope, diskOf('web-disk0'));
    await practice.lab('POST', '/_lab/faults', {
      method: 'GET',
      path: '/operations/',
      status: 404,
      code: 'NotFound',
    });
    await expect(practice.cloud().awaitDisk(begun, quiet, never)).resolves.toMatchObject({
      bytes: DISK_BYTES,
    });
    const spoilt = [
      'not json',
      'null',
      JSON.stringify({ state: { status: 'failed', error: {} } }),
      (begun.poller ?? '').replaceAll('127.0.0.1', 'attacker.invalid'),
    ];
    for (const poller of spoilt) {
      const disk = await practice.cloud().awaitDisk({ ...begun, poller }, quiet, never);
      expect(disk.resourceId).toBe(begun.resourceId);
    }
    await deleteGroup(scope);
  });

  test('makes again what failed, and says why it failed', async () => {
    const scope = await newGroup();
    await practice.lab('POST', '/_lab/faults', {
      method: 'PUT',
      path: '/disks/',
      failOperation: { code: 'DiskImportFailed', message: 'The copy broke off.' },
    });
    const begun = await cloud.beginDiskImport(scope, diskOf('web-disk0'));
    await expect(cloud.awaitDisk(begun, quiet, never)).rejects.toMatchObject({
      code: 'DR_AZURE_OPERATION_FAILED',
      context: { azureCode: 'DiskImportFailed', reason: 'The copy broke off.' },
    });
    await expect(cloud.awaitDisk({ ...begun, poller: null }, quiet, never)).rejects.toEqual(
      failsWith('DR_AZURE_OPERATION_FAILED'),
    );
    await expect(importDisk(scope)).resolves.toBe(begun.resourceId);
    await deleteGroup(scope);
  });

  test('starts a machine that was found off', async () => {
    const scope = await newGroup();
    const begun = await cloud.beginVm(scope, await vmRequest(scope));
    await cloud.awaitVmRunning(begun, quiet, never);
    await powerOff(begun.resourceId);
    await expect(cloud.vm(begun.resourceId)).resolves.toMatchObject({ powerState: 'stopped' });
    await expect(
      practice.cloud().awaitVmRunning({ ...begun, poller: null }, quiet, never),
    ).resolves.toMatchObject({
      powerState: 'running',
    });
    await deleteGroup(scope);
  });

  test('an aborted wait ends with the reason of its caller and leaves the operation alone', async () => {
    await practice.lab('POST', '/_lab/settings', { importMs: 500 });
    const scope = await newGroup();
    const begun = await cloud.beginDiskImport(scope, diskOf('web-disk0'));
    const stop = new AbortController();
    const reason = new Error('worker shuts down');
    const waiting = cloud.awaitDisk(begun, () => stop.abort(reason), stop.signal);
    await expect(waiting).rejects.toBe(reason);
    await practice.lab('POST', '/_lab/settings', { importMs: 0 });
    await expect(cloud.awaitDisk(begun, quiet, never)).resolves.toMatchObject({ bytes: DISK_BYTES });
    await deleteGroup(scope);
  });
});

/** What an operator could do in the portal. */
async function powerOff(vmId: string): Promise<void> {
  const client = new ComputeManagementClient(practice.credential(), practice.subscriptionId, portal());
  const [, , , , group = '', , , , name = ''] = vmId.split('/');
  await client.virtualMachines.powerOff(group, name, { updateIntervalInMs: 30 });
}

function portal() {
  const { endpoint, tlsCa } = practice.trust;
  return { endpoint, tlsOptions: { ca: tlsCa } };
}

describe('what is not the run’s own', () => {
  test('is neither adopted, nor changed, nor deleted', async () => {
    const owner = await newGroup();
    await importDisk(owner);
    const stranger: RunScope = { ...newScope(), resourceGroup: owner.resourceGroup };
    const since = await lastSequence();
    const attempts = [
      () => cloud.ensureResourceGroup(stranger),
      () => cloud.beginDiskImport(stranger, diskOf('web-disk0')),
      () => cloud.beginDeleteResourceGroup(stranger),
      () => cloud.beginDeleteResourceGroup({ ...owner, mode: 'real' }),
    ];
    for (const attempt of attempts) {
      await expect(attempt()).rejects.toEqual(failsWith('DR_AZURE_NAME_TAKEN'));
    }
    expect(await practice.requestsSince(since)).toEqual([]);
    await deleteGroup(owner);
  });

  test('the group of a real failover is not deleted as a drill', async () => {
    const real = await newGroup('real');
    await expect(cloud.beginDeleteResourceGroup({ ...real, mode: 'test' })).rejects.toEqual(
      failsWith('DR_AZURE_NAME_TAKEN'),
    );
    await deleteGroup(real);
  });
});

describe('refusals', () => {
  test('an exhausted quota names itself and its numbers', async () => {
    const scope = await newGroup();
    const request = await vmRequest(scope);
    await practice.lab('POST', '/_lab/settings', { quotas: { standardDSv5Family: 1 } });
    await expect(cloud.beginVm(scope, request)).rejects.toMatchObject({
      code: 'DR_AZURE_QUOTA',
      context: { quota: 'standardDSv5Family Cores', limit: '1', used: '0', needed: '2' },
    });
    await deleteGroup(scope);
  });

  test('a size that is restricted or does not exist is unavailable', async () => {
    const scope = await newGroup();
    const request = await vmRequest(scope);
    for (const size of ['Standard_D16s_v5', 'Standard_Imaginary']) {
      await expect(cloud.beginVm(scope, { ...request, size })).rejects.toMatchObject({
        code: 'DR_AZURE_SIZE_UNAVAILABLE',
        context: { size, location: practice.location },
      });
    }
    await deleteGroup(scope);
  });

  test('lost capacity shows when the operation fails, with the size in the message', async () => {
    const scope = await newGroup();
    const request = await vmRequest(scope);
    await practice.lab('POST', '/_lab/faults', {
      method: 'PUT',
      path: '/virtualMachines/',
      failOperation: { code: 'AllocationFailed', message: 'No capacity.' },
    });
    const begun = await cloud.beginVm(scope, request);
    await expect(cloud.awaitVmRunning(begun, quiet, never)).rejects.toMatchObject({
      code: 'DR_AZURE_SIZE_UNAVAILABLE',
      context: { size: 'Standard_D2s_v5' },
    });
    await expect(
      cloud.awaitVmRunning(await cloud.beginVm(scope, request), quiet, never),
    ).resolves.toMatchObject({ powerState: 'running' });
    await deleteGroup(scope);
  });

  test('a taken address names its owner, an unknown subnet itself', async () => {
    const scope = await newGroup();
    const subnetId = practice.subnets.isolated;
    const first = await cloud.beginNic(scope, { name: 'a', subnetId, privateIpAddress: '10.99.1.77' });
    await expect(cloud.awaitNic(first, quiet, never)).resolves.toMatchObject({
      privateIpAddress: '10.99.1.77',
    });
    await expect(
      cloud.beginNic(scope, { name: 'b', subnetId, privateIpAddress: '10.99.1.77' }),
    ).rejects.toMatchObject({
      code: 'DR_AZURE_ADDRESS_TAKEN',
      context: { address: '10.99.1.77', owner: expect.stringContaining('/networkInterfaces/a') },
    });
    const unknown = subnetId.replace('drill', 'nowhere');
    await expect(cloud.beginNic(scope, { name: 'b', subnetId: unknown })).rejects.toMatchObject({
      code: 'DR_AZURE_NETWORK_UNKNOWN',
      context: { subnet: unknown },
    });
    await deleteGroup(scope);
  });

  test('a wrong client secret is refused and shows nowhere', async () => {
    const secret = 'wrong-secret-of-the-test';
    const stranger = practice.cloud({ credential: practice.credential(new Secret(secret)) });
    const error: unknown = await stranger.usages(practice.location).catch((thrown: unknown) => thrown);
    expect(error).toEqual(failsWith('DR_AZURE_REFUSED'));
    expect(`${String(error)} ${JSON.stringify(error)}`).not.toContain(secret);
  });

  test('an endpoint whose certificate is not trusted is not talked to', async () => {
    const { endpoint } = practice.trust;
    const trusting = createCloud({
      subscriptionId: practice.subscriptionId,
      credential: practice.credential(),
      endpoint,
    });
    await expect(trusting.usages(practice.location)).rejects.toEqual(failsWith('DR_AZURE_UNREACHABLE'));
  });
});

describe('what is looked up', () => {
  test('sizes say what they offer and why one is restricted', async () => {
    const sizes = await cloud.vmSizes(practice.location);
    expect(sizes.find(({ name }) => name === 'Standard_D2s_v5')).toEqual({
      name: 'Standard_D2s_v5',
      cores: 2,
      memoryMiB: 8192,
      dataDisksMax: 4,
      family: 'standardDSv5Family',
      generations: ['V1', 'V2'],
    });
    expect(sizes.find(({ name }) => name === 'Standard_D16s_v5')?.restriction).toBe(
      'NotAvailableForSubscription',
    );
  });

  test('usages count the cores of a family', async () => {
    const scope = await newGroup();
    const used = async () =>
      (await cloud.usages(practice.location)).find(({ name }) => name === 'standardDSv5Family')?.used;
    const before = await used();
    await cloud.awaitVmRunning(await cloud.beginVm(scope, await vmRequest(scope)), quiet, never);
    expect(await used()).toBe((before ?? 0) + 2);
    await deleteGroup(scope);
  });

  test('a subnet tells what its network reaches and which addresses are used by whom', async () => {
    const scope = await newGroup();
    const isolated = await cloud.subnet(practice.subnets.isolated);
    expect(isolated).toMatchObject({ addressPrefix: '10.99.1.0/24', reaches: [] });
    const production = await cloud.subnet(practice.subnets.production);
    expect(production.reaches).toEqual(['peering to-on-premises-hub']);
    const nicId = await createNic(scope);
    expect((await cloud.subnet(practice.subnets.isolated)).usedAddresses).toContainEqual({
      address: expect.stringMatching(/^10\.99\.1\./),
      owner: nicId,
    });
    await deleteGroup(scope);
  });

  test('gateways and public addresses count as ways out of a network', async () => {
    const scope = await newGroup();
    const { resourceGroup: group, location } = scope;
    const client = new NetworkManagementClient(practice.credential(), practice.subscriptionId, portal());
    const interval = { updateIntervalInMs: 30 };
    const network = await client.virtualNetworks.createOrUpdate(
      group,
      'hub',
      {
        location,
        addressSpace: { addressPrefixes: ['10.50.0.0/16'] },
        subnets: [
          { name: 'inside', addressPrefix: '10.50.1.0/24' },
          { name: 'GatewaySubnet', addressPrefix: '10.50.2.0/24' },
        ],
      },
      interval,
    );
    const subnetId = `${network.id ?? ''}/subnets/inside`;
    const publicAddress = await client.publicIPAddresses.createOrUpdate(
      group,
      'way-out',
      { location, sku: { name: 'Standard' }, publicIPAllocationMethod: 'Static' },
      interval,
    );
    const ipConfigurations = [
      { name: 'c', subnet: { id: subnetId }, publicIPAddress: { id: publicAddress.id ?? '' } },
    ];
    await client.networkInterfaces.createOrUpdate(group, 'jump', { location, ipConfigurations }, interval);
    await expect(cloud.subnet(subnetId)).resolves.toMatchObject({
      reaches: ['gateway in GatewaySubnet', 'public address way-out of jump'],
    });
    await deleteGroup(scope);
  });

  test('lists go over all pages', async () => {
    const scope = await newGroup();
    await importDisk(scope);
    await createNic(scope);
    const sizes = await cloud.vmSizes(practice.location);
    await practice.lab('POST', '/_lab/settings', { pageSize: 1 });
    await expect(cloud.listByRun(scope.runId)).resolves.toHaveLength(3);
    await expect(cloud.vmSizes(practice.location)).resolves.toEqual(sizes);
    await practice.lab('POST', '/_lab/settings', { pageSize: 100 });
    await deleteGroup(scope);
  });

  test.each([
    'not an id',
    '/subscriptions/other/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/v/subnets/s',
  ])('a subnet that cannot be ours is unknown: %s', async (subnetId) => {
    await expect(cloud.subnet(subnetId)).rejects.toEqual(failsWith('DR_AZURE_NETWORK_UNKNOWN'));
  });

  test('a network or subnet that does not exist is unknown', async () => {
    for (const subnetId of [
      practice.subnets.isolated.replace('/isolated/', '/nowhere/'),
      practice.subnets.isolated.replace('/drill', '/nowhere'),
    ]) {
      await expect(cloud.subnet(subnetId)).rejects.toEqual(failsWith('DR_AZURE_NETWORK_UNKNOWN'));
    }
  });

  test('Azure out of reach is worth a retry', async () => {
    await practice.killArm();
    try {
      await expect(cloud.usages(practice.location)).rejects.toEqual(failsWith('DR_AZURE_UNREACHABLE'));
    } finally {
      await practice.restartArm();
    }
  });
});
