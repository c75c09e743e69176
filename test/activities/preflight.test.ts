/** Checks before a failover, on facts of Azure given by hand. */
import { expect, test } from '@jest/globals';
import { azureProblems } from '../../activities/azure/preflight.ts';
import { DrError } from '../../domain/errors.ts';
import { asId, type DiskId, type ProtectedItemId, type RunId } from '../../domain/ids.ts';
import type { ItemSpec } from '../../domain/machine.ts';
import { azureNames } from '../../domain/names.ts';
import type { Cloud, SubnetFacts, VmSize } from '../../domain/ports.ts';
import { GiB } from '../../domain/units.ts';
import type { FailoverRun } from '../../workflows/contracts/types.ts';
import { machineUuid, samplePolicy } from '../support/samples.ts';

const NETWORKS = '/subscriptions/s/resourceGroups/net/providers/Microsoft.Network/virtualNetworks';
const runId = asId<RunId>('run-1');
const address = '10.0.0.9';

const size: VmSize = {
  name: 'Standard_D2s_v5',
  cores: 2,
  memoryMiB: 8_192,
  dataDisksMax: 4,
  family: 'standardDSv5Family',
  generations: ['V1', 'V2'],
};

const subnet: SubnetFacts = {
  subnetId: `${NETWORKS}/isolated/subnets/a`,
  networkId: `${NETWORKS}/isolated`,
  addressPrefix: '10.0.0.0/24',
  reaches: [],
  usedAddresses: [],
};

const item: ItemSpec = {
  version: 1,
  itemId: asId<ProtectedItemId>(machineUuid(1)),
  machineId: asId(machineUuid(1)),
  machineName: 'web',
  vcenterId: asId('vc'),
  site: 'onprem',
  guestFamily: 'linux',
  firmware: 'efi',
  disks: [0, 1].map((index) => ({
    diskId: asId<DiskId>(String(index).repeat(32)),
    deviceKey: 2_000 + index,
    label: `Hard disk ${index + 1}`,
    capacityBytes: GiB,
    index,
  })),
  policy: samplePolicy,
  target: {
    location: 'westeurope',
    vmSize: 'standard_d2s_v5',
    subnetId: `${NETWORKS}/production/subnets/a`,
  },
};

const drill: FailoverRun = {
  runId,
  mode: 'test',
  requestedBy: { principal: 'administrator', requestId: 'r' },
  item,
  choice: { kind: 'latest' },
  subnetId: subnet.subnetId,
  privateIpAddress: address,
  shutdownSource: false,
  removeFirst: [],
};

interface Facts {
  readonly sizes: readonly VmSize[];
  readonly usages: Awaited<ReturnType<Cloud['usages']>>;
  readonly subnet: SubnetFacts;
}

const goodFacts: Facts = {
  sizes: [size],
  usages: [
    { name: 'cores', used: 98, limit: 100 },
    { name: 'standardDSv5Family', used: 8, limit: 10 },
    { name: 'standardFSv2Family', used: 10, limit: 10 },
  ],
  subnet,
};

/** Only the look-ups of a preflight: anything that would change Azure is not there to be called. */
function cloudWith(facts: Facts): Cloud {
  const lookups: Pick<Cloud, 'vmSizes' | 'usages' | 'subnet' | 'listByRun'> = {
    vmSizes: async () => facts.sizes,
    usages: async () => facts.usages,
    listByRun: async () => [],
    subnet: async (subnetId) => {
      if (subnetId === facts.subnet.subnetId) return facts.subnet;
      throw new DrError('DR_AZURE_NETWORK_UNKNOWN', { network: subnetId });
    },
  };
  return lookups as Cloud;
}

async function problemsOf(facts: Partial<Facts> = {}, run: Partial<FailoverRun> = {}): Promise<string[]> {
  const problems = await azureProblems(cloudWith({ ...goodFacts, ...facts }), { ...drill, ...run });
  return problems.map((problem) => problem.code).sort();
}

const takenBy = (owner: string) => ({ subnet: { ...subnet, usedAddresses: [{ address, owner }] } });

test('a run that Azure has room for has no problem, up to the last core and disk', async () => {
  expect(await problemsOf()).toEqual([]);
  expect(await problemsOf({ sizes: [{ ...size, dataDisksMax: 1 }] })).toEqual([]);
  expect(await problemsOf({}, { mode: 'real' })).toEqual([]);
});

test('everything that is missing is told at once', async () => {
  const facts: Facts = {
    sizes: [{ ...size, restriction: 'not for this subscription', dataDisksMax: 0, generations: ['V1'] }],
    usages: [
      { name: 'cores', used: 99, limit: 100 },
      { name: 'StandardDSv5Family', used: 9, limit: 10 },
    ],
    subnet: { ...takenBy('nic-of-another').subnet, reaches: ['peering to hub'] },
  };
  expect(await problemsOf(facts)).toEqual([
    'DR_AZURE_ADDRESS_TAKEN',
    'DR_AZURE_NETWORK_NOT_ISOLATED',
    'DR_AZURE_QUOTA',
    'DR_AZURE_QUOTA',
    'DR_AZURE_SIZE_UNAVAILABLE',
    'DR_AZURE_SIZE_UNAVAILABLE',
    'DR_AZURE_SIZE_UNAVAILABLE',
  ]);
});

test('network interfaces have a quota too, and one that nobody may read stops nothing', async () => {
  const interfaces = (used: number) => [
    ...goodFacts.usages,
    { name: 'NetworkInterfaces', used, limit: 350 },
    { name: 'VirtualNetworks', used: 50, limit: 50 },
  ];
  expect(await problemsOf({ usages: interfaces(349) })).toEqual([]);
  expect(await problemsOf({ usages: interfaces(350) })).toEqual(['DR_AZURE_QUOTA']);
});

test('an unknown size and an unknown network are told together', async () => {
  expect(await problemsOf({ sizes: [] }, { subnetId: `${NETWORKS}/gone/subnets/a` })).toEqual([
    'DR_AZURE_NETWORK_UNKNOWN',
    'DR_AZURE_SIZE_UNAVAILABLE',
  ]);
});

test('a drill is refused in the network of the real failover, a real failover is not', async () => {
  const networkId = `${NETWORKS}/Production`;
  const facts = { subnet: { ...subnet, networkId, reaches: ['peering to hub'] } };
  expect(await problemsOf({ subnet: { ...subnet, networkId } })).toEqual(['DR_AZURE_NETWORK_NOT_ISOLATED']);
  expect(await problemsOf(facts, { mode: 'real' })).toEqual([]);
});

test("an address is free when the run's own earlier attempt holds it, not when a run of a longer name does", async () => {
  const nicIn = (group: string) =>
    takenBy(
      `/subscriptions/s/resourceGroups/${group}/providers/Microsoft.Network/networkInterfaces/web-nic0`,
    );
  const group = azureNames.resourceGroup(runId);
  expect(await problemsOf(nicIn(group.toUpperCase()))).toEqual([]);
  expect(await problemsOf(nicIn(`${group}0`))).toEqual(['DR_AZURE_ADDRESS_TAKEN']);
});

test('trouble with Azure itself is not taken for a problem of the run', async () => {
  const cloud = cloudWith(goodFacts);
  const trouble = new DrError('DR_INTERNAL', { reason: 'no answer' });
  const failing: Cloud = { ...cloud, subnet: () => Promise.reject(trouble) };
  await expect(azureProblems(failing, drill)).rejects.toBe(trouble);
});
