import { describe, expect, test } from '@jest/globals';
import { isUsableIn, usableAddresses } from '../../../domain/network.ts';
import {
  azureClashes,
  recordedClashes,
  type PlannedMachine,
  type RegionLook,
} from '../../../domain/plan/clashes.ts';

const SUBNET = '/subscriptions/s/resourceGroups/r/providers/Microsoft.Network/virtualNetworks/v/subnets/a';
const machine = (machineName: string, more: Partial<PlannedMachine> = {}): PlannedMachine => ({
  machineName,
  location: 'westeurope',
  vmSize: 'Standard_D2s_v5',
  subnetId: SUBNET,
  ...more,
});
const look = (more: Partial<RegionLook> = {}): RegionLook => ({
  location: 'westeurope',
  sizes: [{ name: 'Standard_D2s_v5', cores: 2, family: 'standardDSv5Family' }],
  usages: [],
  subnets: [
    {
      subnetId: SUBNET,
      facts: {
        subnetId: SUBNET,
        networkId: '/v',
        addressPrefix: '10.1.0.0/24',
        reaches: [],
        usedAddresses: [],
      },
    },
  ],
  ...more,
});
const real = { mode: 'real', limits: {} } as const;
const drill = { mode: 'test', limits: {} } as const;
const messages = (clashes: readonly { readonly message: string }[]) => clashes.map(({ message }) => message);

describe('from what is recorded', () => {
  test('an address and a name that two machines ask for', () => {
    const pair = [
      machine('db 1', { privateIpAddress: '10.1.0.9', resourceGroup: 'shop' }),
      machine('db_1', { privateIpAddress: '10.1.0.9', resourceGroup: 'Shop' }),
    ];
    expect(messages(recordedClashes(pair, 'real'))).toEqual([
      `address 10.1.0.9 of ${SUBNET} is asked for by db 1 and db_1`,
      'name db-1 in resource group shop is asked for by db 1 and db_1',
    ]);
  });

  test('names do not clash where every machine has a group of its own', () => {
    expect(recordedClashes([machine('db 1'), machine('db_1')], 'real')).toEqual([]);
    const shared = [machine('db 1', { resourceGroup: 'shop' }), machine('db_1', { resourceGroup: 'shop' })];
    expect(recordedClashes(shared, 'test')).toEqual([]);
  });
});

describe('from what Azure says', () => {
  test('cores of all machines together against quota and the plan', () => {
    const usages = [
      { name: 'cores', used: 7, limit: 10 },
      { name: 'standardDSv5Family', used: 0, limit: 4 },
    ];
    const clashes = azureClashes([machine('a'), machine('b')], look({ usages }), {
      mode: 'real',
      limits: { cores: 3 },
    });
    expect(clashes).toMatchObject([
      { message: 'quota cores in westeurope: the run needs 4, 3 of 10 are free', machines: ['a', 'b'] },
      { message: 'limits.cores: the plan allows 3 cores, its machines need 4' },
    ]);
  });

  test('a network interface for each machine against quota', () => {
    const usages = [{ name: 'NetworkInterfaces', used: 349, limit: 350 }];
    expect(azureClashes([machine('a')], look({ usages }), real)).toEqual([]);
    expect(azureClashes([machine('a'), machine('b')], look({ usages }), real)).toEqual([
      {
        kind: 'quota',
        message: 'quota NetworkInterfaces in westeurope: the run needs 2, 1 of 350 are free',
        machines: ['a', 'b'],
      },
    ]);
  });

  test('a size that the region does not offer', () => {
    expect(messages(azureClashes([machine('a', { vmSize: 'Standard_X' })], look(), real))).toEqual([
      'size Standard_X in westeurope: the region does not offer it',
    ]);
  });

  test('an address outside of the subnet, one Azure keeps, one that somebody has', () => {
    const subnets = [
      {
        subnetId: SUBNET,
        facts: {
          subnetId: SUBNET,
          networkId: '/v',
          addressPrefix: '10.1.0.0/24',
          reaches: [],
          usedAddresses: [{ address: '10.1.0.5', owner: '/nics/other' }],
        },
      },
    ];
    const asked = ['10.1.0.5', '10.1.0.3', '10.2.0.9', '10.1.0.6'].map((privateIpAddress, index) =>
      machine(`m${index}`, { privateIpAddress }),
    );
    expect(messages(azureClashes(asked, look({ subnets }), real))).toEqual([
      'address 10.1.0.5 is held by /nics/other',
      `address 10.1.0.3 is none that a machine can have in subnet ${SUBNET} (10.1.0.0/24)`,
      `address 10.2.0.9 is none that a machine can have in subnet ${SUBNET} (10.1.0.0/24)`,
    ]);
  });

  test('a subnet that is not there, is full, or lets a drill out', () => {
    const facts = {
      subnetId: SUBNET,
      networkId: '/v',
      addressPrefix: '10.1.0.0/29',
      reaches: ['peering x'],
      usedAddresses: [],
    };
    const four = Array.from({ length: 4 }, (_, index) => machine(`m${index}`));
    expect(messages(azureClashes(four, look({ subnets: [{ subnetId: SUBNET, facts }] }), drill))).toEqual([
      'network /v of a drill is not isolated: peering x',
      `subnet ${SUBNET} has 3 free addresses, 4 are needed`,
    ]);
    expect(messages(azureClashes(four, look({ subnets: [{ subnetId: SUBNET }] }), drill))).toEqual([
      `subnet ${SUBNET} does not exist`,
    ]);
  });
});

test('addresses of a subnet are counted as Azure counts them', () => {
  expect(['10.0.0.0/24', '10.0.0.0/29', '10.0.0.0/33', 'fd00::/64'].map(usableAddresses)).toEqual([
    251,
    3,
    null,
    null,
  ]);
  expect(isUsableIn('10.0.0.254', '10.0.0.0/24')).toBe(true);
  expect(isUsableIn('10.0.0.255', '10.0.0.0/24')).toBe(false);
  expect(isUsableIn('10.0.0.300', '10.0.0.0/24')).toBe(null);
});
