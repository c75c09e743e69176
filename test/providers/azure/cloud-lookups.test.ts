import { NetworkManagementClient } from '@azure/arm-network';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { ErrorCode } from '../../../domain/errors.ts';
import type { Cloud } from '../../../domain/ports.ts';
import { startPracticeCloud } from './support/practice-cloud.ts';
import type { PracticeCloud } from './support/practice-cloud.ts';
import { never, portal, prepareRuns, quiet, undisturb } from './support/runs.ts';
import type { Runs } from './support/runs.ts';

const failsWith = (code: ErrorCode) => expect.objectContaining({ code });

let practice: PracticeCloud;
let runs: Runs;
let cloud: Cloud;

beforeAll(async () => {
  practice = await startPracticeCloud();
  runs = await prepareRuns(practice);
  cloud = runs.cloud;
});

afterEach(async () => {
  await undisturb(practice);
});

afterAll(async () => {
  await practice.stop();
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
    const scope = await runs.newGroup();
    const used = async () =>
      (await cloud.usages(practice.location)).find(({ name }) => name === 'standardDSv5Family')?.used;
    const before = await used();
    await cloud.awaitVmRunning(await cloud.beginVm(scope, await runs.vmRequest(scope)), quiet, never);
    expect(await used()).toBe((before ?? 0) + 2);
    await runs.deleteGroup(scope);
  });

  test('usages count network interfaces, and one above their quota is refused as quota', async () => {
    const scope = await runs.newGroup();
    await runs.createNic(scope);
    const interfaces = async () =>
      (await cloud.usages(practice.location)).find(({ name }) => name === 'NetworkInterfaces');
    await practice.lab('POST', '/_lab/settings', { quotas: { NetworkInterfaces: 1 } });
    expect(await interfaces()).toEqual({ name: 'NetworkInterfaces', used: 1, limit: 1 });
    const another = { name: 'web-nic1', subnetId: practice.subnets.isolated };
    await expect(cloud.beginNic(scope, another)).rejects.toMatchObject({
      code: 'DR_AZURE_QUOTA',
      context: { quota: 'NetworkInterfaces', limit: '1' },
    });
    await practice.lab('POST', '/_lab/settings', { quotas: { NetworkInterfaces: 65_536 } });
    await runs.deleteGroup(scope);
  });

  test('a quota of networking that nobody may read, or that nobody tells, leaves that of compute', async () => {
    const names = async () => (await cloud.usages(practice.location)).map(({ name }) => name);
    const all = await names();
    const refused = (path: string) =>
      practice.lab('POST', '/_lab/faults', { path, status: 403, code: 'AuthorizationFailed' });
    await refused('Microsoft.Network/locations/.*/usages');
    const left = await names();
    expect(left).toContain('cores');
    expect(all).toEqual([...left, 'VirtualNetworks', 'NetworkInterfaces', ...all.slice(-2)]);
    await practice.lab('POST', '/_lab/faults', {
      path: 'Microsoft.Network/locations/.*/usages',
      status: 400,
      code: 'NoRegisteredProviderFound',
    });
    expect(await names()).toEqual(left);
    await refused('Microsoft.Compute/locations/.*/usages');
    await expect(cloud.usages(practice.location)).rejects.toEqual(failsWith('DR_AZURE_REFUSED'));
  });

  test('a subnet tells what its network reaches and which addresses are used by whom', async () => {
    const scope = await runs.newGroup();
    const isolated = await cloud.subnet(practice.subnets.isolated);
    expect(isolated).toMatchObject({ addressPrefix: '10.99.1.0/24', reaches: [] });
    const production = await cloud.subnet(practice.subnets.production);
    expect(production.reaches).toEqual(['peering to-on-premises-hub']);
    const nicId = await runs.createNic(scope);
    expect((await cloud.subnet(practice.subnets.isolated)).usedAddresses).toContainEqual({
      address: expect.stringMatching(/^10\.99\.1\./),
      owner: nicId,
    });
    await runs.deleteGroup(scope);
  });

  test('gateways and public addresses count as ways out of a network', async () => {
    const scope = await runs.newGroup();
    const { resourceGroup: group, location } = scope;
    const client = new NetworkManagementClient(
      practice.credential(),
      practice.subscriptionId,
      portal(practice),
    );
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
    await runs.deleteGroup(scope);
  });

  test('lists go over all pages', async () => {
    const scope = await runs.newGroup();
    await runs.importDisk(scope);
    await runs.createNic(scope);
    const sizes = await cloud.vmSizes(practice.location);
    await practice.lab('POST', '/_lab/settings', { pageSize: 1 });
    await expect(cloud.listByRun(scope.runId)).resolves.toHaveLength(3);
    await expect(cloud.vmSizes(practice.location)).resolves.toEqual(sizes);
    await practice.lab('POST', '/_lab/settings', { pageSize: 100 });
    await runs.deleteGroup(scope);
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
