import { createHash, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { MiB } from '../../domain/units.ts';
import { refusalOfVhd } from '../../lab/arm/vhd.ts';
import { exported, makeMachine } from './support/machine.ts';
import { codeOf, makeVhd, quick, startRig } from './support/rig.ts';
import type { Rig } from './support/rig.ts';

const GROUP = 'drill-1';
const TAGS = { 'switchback-run': 'run-1' };
let rig: Rig;

beforeAll(async () => {
  rig = await startRig();
});
afterAll(() => rig.close());

interface LabDisk {
  readonly id: string;
  readonly name: string;
  readonly bytes: number;
  readonly managedBy: string | null;
}

test('a machine is made of imported disks, runs, is snapshot, read and removed without a trace', async () => {
  const { compute, network, resources } = rig.clients;
  const { location } = rig.facts;
  await resources.resourceGroups.createOrUpdate(GROUP, { location, tags: TAGS });

  const osPiece = { offset: 1 * MiB, bytes: randomBytes(64 * 1024) };
  const edge = { offset: 64 * MiB - 4096, bytes: randomBytes(4096) };
  const osBlob = await makeVhd(rig, 'failover/run-1/os.vhd', 64, [osPiece, edge]);
  const dataBlob = await makeVhd(rig, 'failover/run-1/data.vhd', 21, [
    { offset: 0, bytes: randomBytes(4 * MiB) },
    { offset: 4 * MiB, bytes: randomBytes(4 * MiB) },
    { offset: 8 * MiB, bytes: randomBytes(512) },
  ]);
  const imports = [osBlob, dataBlob].map((blob, index) =>
    compute.disks.createOrUpdate(
      GROUP,
      `disk${index}`,
      { location, tags: TAGS, creationData: { createOption: 'Import', sourceUri: blob.url } },
      quick,
    ),
  );
  const [os, data] = await Promise.all(imports);
  expect(os).toMatchObject({
    provisioningState: 'Succeeded',
    diskState: 'Unattached',
    diskSizeBytes: 64 * MiB,
  });

  const osBytes = await osBlob.downloadToBuffer(0, 64 * MiB);
  const hash = await rig.lab<{ sha256: string; bytes: number; blocks: string[] }>(
    'GET',
    `/disks/hash?id=${os?.id ?? ''}&blockBytes=${MiB}`,
  );
  expect(hash.bytes).toBe(64 * MiB);
  expect(hash.sha256).toBe(sha256(osBytes));
  expect(hash.blocks).toHaveLength(64);
  expect(hash.blocks[1]).toBe(sha256(osBytes.subarray(MiB, 2 * MiB)));
  const dataHash = await rig.lab<{ sha256: string }>('GET', `/disks/hash?id=${data?.id ?? ''}`);
  expect(dataHash.sha256).toBe(sha256(await dataBlob.downloadToBuffer(0, 21 * MiB)));

  const subnet = await network.subnets.get('practice-network', 'isolated', 'drill');
  const nic = await network.networkInterfaces.createOrUpdate(
    GROUP,
    'nic0',
    { location, tags: TAGS, ipConfigurations: [{ name: 'primary', subnet: { id: subnet.id ?? '' } }] },
    quick,
  );
  expect(nic.ipConfigurations?.[0]?.privateIPAddress).toBe('10.99.1.4');

  const vmPoller = compute.virtualMachines.createOrUpdate(
    GROUP,
    'web-test',
    {
      location,
      tags: TAGS,
      hardwareProfile: { vmSize: 'Standard_B2s' },
      storageProfile: {
        osDisk: { createOption: 'Attach', osType: 'Linux', managedDisk: { id: os?.id ?? '' } },
        dataDisks: [{ lun: 0, createOption: 'Attach', managedDisk: { id: data?.id ?? '' } }],
      },
      networkProfile: { networkInterfaces: [{ id: nic.id ?? '', primary: true, deleteOption: 'Delete' }] },
      securityProfile: { securityType: 'Standard' },
    },
    quick,
  );
  await vmPoller.submitted();
  const creating = await compute.virtualMachines.get(GROUP, 'web-test', { expand: 'instanceView' });
  expect(creating.provisioningState).toBe('Creating');
  expect(codes(creating.instanceView)).toContain('PowerState/starting');
  const vm = await vmPoller.pollUntilDone();
  expect(vm.provisioningState).toBe('Succeeded');
  const view = await compute.virtualMachines.instanceView(GROUP, 'web-test');
  expect(codes(view)).toEqual(['ProvisioningState/succeeded', 'PowerState/running']);
  expect((await compute.disks.get(GROUP, 'disk0')).managedBy).toBe(vm.id);
  expect(await codeOf(compute.disks.delete(GROUP, 'disk0', quick))).toBe('OperationNotAllowed');
  expect(await codeOf(network.networkInterfaces.delete(GROUP, 'nic0', quick))).toBe('NicInUse');
  const usages = await all(compute.usage.list(location));
  expect(usages.find(({ name }) => name.value === 'standardBSFamily')?.currentValue).toBe(2);

  const snapshot = await compute.snapshots.createOrUpdate(
    GROUP,
    'before-failback',
    {
      location,
      tags: TAGS,
      incremental: true,
      creationData: { createOption: 'Copy', sourceResourceId: os?.id ?? '' },
    },
    quick,
  );
  expect(snapshot).toMatchObject({ completionPercent: 100, incremental: true });
  const grant = { access: 'Read', durationInSeconds: 600 } as const;
  expect(await codeOf(compute.disks.grantAccess(GROUP, 'disk0', grant, quick))).toBe('Conflict');
  const { accessSAS = '' } = await compute.snapshots.grantAccess(GROUP, 'before-failback', grant, quick);
  const exported = await rig.raw('HEAD', accessSAS);
  expect(exported.status).toBe(200);
  expect(Number(exported.headers['content-length'])).toBe(64 * MiB + 512);
  const footer = await readWithSdk(accessSAS, 64 * MiB, 512);
  expect(refusalOfVhd(footer, 64 * MiB + 512)).toBeNull();
  expect(await readWithSdk(accessSAS, edge.offset, 4096)).toEqual(edge.bytes);
  expect((await compute.snapshots.get(GROUP, 'before-failback')).diskState).toBe('ActiveSAS');
  await compute.snapshots.revokeAccess(GROUP, 'before-failback', quick);
  await expect(readWithSdk(accessSAS, 0, 512)).rejects.toMatchObject({ statusCode: 403 });

  const byTag = { filter: "tagName eq 'switchback-run' and tagValue eq 'run-1'" };
  const found = await all(resources.resources.list(byTag));
  expect(new Set(found.map(({ name }) => name))).toEqual(
    new Set(['before-failback', 'disk0', 'disk1', 'nic0', 'web-test']),
  );
  await resources.resourceGroups.delete(GROUP, quick);
  expect(await all(resources.resources.list(byTag))).toEqual([]);
  expect(await all(resources.resourceGroups.list(byTag))).toEqual([]);
  expect(await codeOf(resources.resourceGroups.get(GROUP))).toBe('ResourceGroupNotFound');
  expect(await rig.lab<LabDisk[]>('GET', '/disks')).toEqual([]);
});

test('power actions end with 200 and an empty body, and the disk follows its machine', async () => {
  const { compute } = rig.clients;
  const { group, vm } = await makeMachine(rig, { group: 'power' });
  for (const [act, state] of [
    [() => compute.virtualMachines.powerOff(group, vm, quick), 'stopped'],
    [() => compute.virtualMachines.start(group, vm, quick), 'running'],
    [() => compute.virtualMachines.restart(group, vm, quick), 'running'],
    [() => compute.virtualMachines.deallocate(group, vm, quick), 'deallocated'],
  ] as const) {
    await act();
    expect(codes(await compute.virtualMachines.instanceView(group, vm))).toContain(`PowerState/${state}`);
  }
  expect((await compute.disks.get(group, 'vm-disk0')).diskState).toBe('Reserved');
  await compute.virtualMachines.delete(group, vm, quick);
  expect((await compute.disks.get(group, 'vm-disk0')).diskState).toBe('Unattached');
  expect(await codeOf(rig.clients.network.networkInterfaces.get(group, 'vm-nic'))).toBe('ResourceNotFound');
  await compute.virtualMachines.delete(group, vm, quick);
});

test('networks say what they reach, sizes what they offer, and lists come in pages', async () => {
  const { compute, network, resources } = rig.clients;
  const production = await network.virtualNetworks.get('practice-network', 'production');
  const isolated = await network.virtualNetworks.get('PRACTICE-NETWORK', 'Isolated');
  expect(production.virtualNetworkPeerings).toMatchObject([
    { name: 'to-on-premises-hub', peeringState: 'Connected' },
  ]);
  expect(isolated.virtualNetworkPeerings).toEqual([]);
  const skus = await all(compute.resourceSkus.list({ filter: `location eq '${rig.facts.location}'` }));
  expect(skus.find(({ name }) => name === 'Standard_D16s_v5')?.restrictions?.[0]?.reasonCode).toBe(
    'NotAvailableForSubscription',
  );
  expect(await all(compute.resourceSkus.list({ filter: "location eq 'elsewhere'" }))).toEqual([]);
  await rig.lab('POST', '/settings', { pageSize: 1 });
  const networks = await all(
    resources.resources.list({ filter: "resourceType eq 'Microsoft.Network/virtualNetworks'" }),
  );
  await rig.lab('POST', '/settings', { pageSize: 100 });
  expect(networks.map(({ name }) => name)).toEqual(['production', 'isolated']);
  const { id = '' } = await resources.resourceGroups.get('practice-network');
  await resources.tagsOperations.updateAtScope(id, {
    operation: 'Merge',
    properties: { tags: { owner: 'network' } },
  });
  expect((await resources.resourceGroups.get('practice-network')).tags).toEqual({ owner: 'network' });
});

function readWithSdk(sas: string, offset: number, count: number): Promise<Buffer> {
  return exported(rig, sas).downloadToBuffer(offset, count);
}

function codes(view: { statuses?: { code?: string }[] } | undefined): string[] {
  return (view?.statuses ?? []).map(({ code }) => code ?? '');
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
