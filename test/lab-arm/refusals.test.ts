import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { MiB, VHD_FOOTER_BYTES } from '../../domain/units.ts';
import { waitFor } from '../../lab/wait.ts';
import { codeOf, makeVhd, quick, startRig } from './support/rig.ts';
import type { Rig } from './support/rig.ts';

const GROUP = 'refusals';
let rig: Rig;

beforeAll(async () => {
  rig = await startRig();
  await rig.clients.resources.resourceGroups.createOrUpdate(GROUP, { location: rig.facts.location });
});
afterAll(() => rig.close());

test('an import is refused for a blob Azure would not take', async () => {
  const good = await makeVhd(rig, 'good.vhd', 20, []);
  const unaligned = rig.container.getPageBlobClient('size.vhd');
  await unaligned.create(20 * MiB);
  const cookie = await makeVhd(rig, 'cookie.vhd', 20, []);
  await cookie.clearPages(20 * MiB, VHD_FOOTER_BYTES);
  const damaged = await makeVhd(rig, 'damaged.vhd', 20, []);
  const footer = await damaged.downloadToBuffer(20 * MiB, VHD_FOOTER_BYTES);
  footer.writeUInt8(1, 300);
  await damaged.uploadPages(footer, 20 * MiB, VHD_FOOTER_BYTES);
  const leased = await makeVhd(rig, 'leased.vhd', 20, []);
  await leased.getBlobLeaseClient().acquireLease(60);
  const { url: snapshot } = good.withSnapshot((await good.createSnapshot()).snapshot ?? '');

  expect(await importCode(unaligned.url)).toBe('BadRequest');
  expect(await importCode(cookie.url)).toBe('InvalidVhd');
  expect(await importCode(damaged.url)).toBe('InvalidVhd');
  expect(await importCode(leased.url)).toBe('AcquireDiskLeaseFailed');
  expect(await importCode(snapshot)).toBe('BadRequest');
  expect(await importCode(rig.container.getPageBlobClient('absent.vhd').url)).toBe('ResourceNotFound');
  expect(await importCode(good.url.replace('practiceaccount', 'stranger'))).toBe('InvalidParameter');
  expect(await importCode(good.url, '/subscriptions/x/storageAccounts/stranger')).toBe('InvalidParameter');
  expect(await importCode(good.url, '/subscriptions/x/storageAccounts/practiceaccount')).toBe('it succeeded');
});

test('an import fails when its blob changes under it', async () => {
  const blob = await makeVhd(rig, 'moving.vhd', 20, [{ offset: 0, bytes: Buffer.alloc(MiB, 1) }]);
  const { compute } = rig.clients;
  await rig.lab('POST', '/settings', { importMs: 60_000 });
  const poller = compute.disks.createOrUpdate(GROUP, 'moving', importOf(blob.url), quick);
  await poller.submitted();
  await blob.uploadPages(Buffer.alloc(512, 2), 0, 512);
  await rig.killAndRestart();
  expect(await codeOf(poller.pollUntilDone())).toBe('InternalOperationError');
  await rig.lab('POST', '/settings', { importMs: 0 });
  expect((await compute.disks.get(GROUP, 'moving')).provisioningState).toBe('Failed');
});

test('addresses are given from the subnet once, and a taken or foreign one is refused', async () => {
  expect(await nicCode('nic-a', '10.10.1.20')).toBe('it succeeded');
  expect(await nicCode('nic-b', '10.10.1.20')).toBe('PrivateIPAddressIsAllocated');
  expect(await nicCode('nic-b', '10.10.2.20')).toBe('PrivateIPAddressNotInSubnet');
  expect(await nicCode('nic-b', '10.10.1.3')).toBe('PrivateIPAddressInReservedRange');
  const { network } = rig.clients;
  const check = async (address: string) =>
    network.virtualNetworks.checkIPAddressAvailability('practice-network', 'production', address);
  expect(await check('10.10.1.20')).toMatchObject({ available: false });
  expect(await check('10.10.1.21')).toMatchObject({ available: true });
  const first = await rig.clients.network.networkInterfaces.get(GROUP, 'nic-a');
  expect(first.ipConfigurations?.[0]).toMatchObject({
    privateIPAddress: '10.10.1.20',
    privateIPAllocationMethod: 'Static',
  });
  const lost = network.virtualNetworks.createOrUpdate(
    'practice-network',
    'production',
    { location: rig.facts.location, addressSpace: { addressPrefixes: ['10.10.0.0/16'] }, subnets: [] },
    quick,
  );
  expect(await codeOf(lost)).toBe('InUseSubnetCannotBeDeleted');
});

test('networking tells what is used, and refuses an interface above the limit but not the same one again', async () => {
  const { network } = rig.clients;
  const interfaces = async () => {
    for await (const { id, name, currentValue, limit } of network.usages.list(rig.facts.location)) {
      if (name.value === 'NetworkInterfaces') return { id, used: currentValue, limit };
    }
    return undefined;
  };
  const before = (await interfaces())?.used ?? 0;
  await rig.lab('POST', '/settings', { quotas: { NetworkInterfaces: before + 1 } });
  expect(await nicCode('counted-a', '10.10.1.40')).toBe('it succeeded');
  expect(await interfaces()).toEqual({
    id: expect.stringMatching(
      /\/providers\/Microsoft\.Network\/locations\/westeurope\/usages\/NetworkInterfaces$/,
    ),
    used: before + 1,
    limit: before + 1,
  });
  expect(await nicCode('counted-b', '10.10.1.41')).toBe('NetworkInterfaceCountLimitReached');
  expect(await nicCode('counted-a', '10.10.1.40')).toBe('it succeeded');
  await rig.lab('POST', '/settings', { quotas: { NetworkInterfaces: 65_536 } });
});

test('a machine is refused for quota, size, disks and interfaces', async () => {
  const { compute } = rig.clients;
  const [first, second] = [await emptyDisk('vm-disk-1'), await emptyDisk('vm-disk-2')];
  const [nicA, nicB] = [await nicId('vm-nic-1'), await nicId('vm-nic-2')];
  await rig.lab('POST', '/settings', { quotas: { standardDSv5Family: 4 } });

  const quota = codeAndText(vm('q', 'Standard_D8s_v5', first, nicA));
  expect(await quota).toMatch(
    /^OperationNotAllowed .*Current Limit: 4, Current Usage: 0, Additional Required: 8/,
  );
  expect(await codeOf(vm('r', 'Standard_D16s_v5', first, nicA))).toBe('SkuNotAvailable');
  expect(await codeOf(vm('n', 'Standard_D2s_v6', first, nicA))).toBe('BadRequest');
  expect(await codeOf(vm('u', 'Standard_Unknown', first, nicA))).toBe('InvalidParameter');
  expect(await codeOf(vm('d', 'Standard_D2s_v5', `${first}-absent`, nicA))).toBe('NotFound');
  expect(await codeOf(vm('i', 'Standard_D2s_v5', first, `${nicA}-absent`))).toBe('InvalidResourceReference');
  expect(await codeOf(vm('ok', 'Standard_D4s_v5', first, nicA))).toBe('it succeeded');
  expect(await codeOf(vm('two', 'Standard_B1s', first, nicB))).toBe('ConflictingUserInput');
  expect(await codeOf(vm('two', 'Standard_B1s', second, nicA))).toBe('NicInUse');
  expect(await codeOf(vm('ok', 'Standard_D4s_v5', second, nicA))).toBe('PropertyChangeNotAllowed');
  expect(await codeOf(compute.virtualMachines.start(GROUP, 'absent', quick))).toBe('ResourceNotFound');
});

test('tokens are asked for with the secret, checked on every call, and expire', async () => {
  const { tenantId, clientId, subscriptionId } = rig.facts;
  const path = `/subscriptions/${subscriptionId}/resourcegroups?api-version=2025-04-01`;
  const bare = await rig.raw('GET', path);
  expect(bare.status).toBe(401);
  expect(bare.headers['www-authenticate']).toContain(`/${tenantId}"`);
  const { token } = await rig.clients.credential.getToken('https://management.azure.com/.default');
  expect(await statusWith(token)).toBe(200);
  expect(await statusWith(`${token.slice(0, -8)}AAAAAAAA`)).toBe(401);
  const { token: storage } = await rig.clients.credential.getToken('https://storage.azure.com/.default');
  expect(await statusWith(storage)).toBe(401);
  const form = (secret: string) =>
    new URLSearchParams({
      grant_type: 'client_credentials',
      client_id: clientId,
      client_secret: secret,
      scope: 'https://management.azure.com/.default',
    }).toString();
  const wrong = await rig.raw('POST', `/${tenantId}/oauth2/v2.0/token`, { body: form('wrong') });
  expect(wrong.status).toBe(401);
  expect(JSON.parse(wrong.text)).toMatchObject({ error: 'invalid_client', error_codes: [7000215] });

  await rig.lab('POST', '/settings', { tokenSeconds: 1 });
  const { token: short } = await rig
    .freshClients()
    .credential.getToken('https://management.azure.com/.default');
  const expired = await waitFor(async () => (await statusWith(short)) === 401, {
    what: 'the token to expire',
    withinMs: 10_000,
  });
  expect(expired).toBe(true);

  async function statusWith(bearer: string): Promise<number> {
    return (await rig.raw('GET', path, { headers: { authorization: `Bearer ${bearer}` } })).status;
  }
});

function importOf(sourceUri: string, storageAccountId?: string) {
  return {
    location: rig.facts.location,
    creationData: {
      createOption: 'Import' as const,
      sourceUri,
      ...(storageAccountId === undefined ? {} : { storageAccountId }),
    },
  };
}

function importCode(sourceUri: string, storageAccountId?: string): Promise<string> {
  const body = importOf(sourceUri, storageAccountId);
  return codeOf(rig.clients.compute.disks.createOrUpdate(GROUP, 'refused', body, quick));
}

function nicCode(name: string, privateIPAddress: string): Promise<string> {
  return codeOf(putNic(name, { privateIPAddress, privateIPAllocationMethod: 'Static' }));
}

async function nicId(name: string): Promise<string> {
  return (await putNic(name, {})).id ?? '';
}

async function putNic(
  name: string,
  address: { privateIPAddress?: string; privateIPAllocationMethod?: 'Static' },
) {
  const subnet = await rig.clients.network.subnets.get('practice-network', 'production', 'default');
  return rig.clients.network.networkInterfaces.createOrUpdate(
    GROUP,
    name,
    {
      location: rig.facts.location,
      ipConfigurations: [{ name: 'primary', subnet: { id: subnet.id ?? '' }, ...address }],
    },
    quick,
  );
}

async function emptyDisk(name: string): Promise<string> {
  const body = {
    location: rig.facts.location,
    creationData: { createOption: 'Empty' as const },
    diskSizeGB: 1,
  };
  return (await rig.clients.compute.disks.createOrUpdate(GROUP, name, body, quick)).id ?? '';
}

function vm(name: string, vmSize: string, diskId: string, nic: string) {
  return rig.clients.compute.virtualMachines.createOrUpdate(
    GROUP,
    name,
    {
      location: rig.facts.location,
      hardwareProfile: { vmSize },
      storageProfile: { osDisk: { createOption: 'Attach', osType: 'Linux', managedDisk: { id: diskId } } },
      networkProfile: { networkInterfaces: [{ id: nic }] },
    },
    quick,
  );
}

async function codeAndText(call: PromiseLike<unknown>): Promise<string> {
  try {
    await call;
    return 'it succeeded';
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    return `${code ?? ''} ${message}`;
  }
}
