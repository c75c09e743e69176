/** The auditor finds what it is there for, and nothing in a proper round trip. */
import { expect, it } from '@jest/globals';
import { ITEM_TAG, RUN_TAG } from '../../domain/names.ts';
import { audit, type Evidence } from './support/audit.ts';

const GROUP = '/subscriptions/s/resourceGroups/switchback-run-1';
const VM = `${GROUP}/providers/Microsoft.Compute/virtualMachines/web-01`;

const resource = (type: string, name: string, tags = { [RUN_TAG]: 'run-1', [ITEM_TAG]: 'item-1' }) => ({
  id: `${GROUP}/providers/${type}/${name}`,
  type,
  name,
  tags,
});
const home = (
  power: readonly { readonly atMs: number; readonly on: boolean }[],
  writers: Evidence['home'][number]['writers'] = [],
) => [{ machine: 'web-01', moRef: 'vm-1', power, writers }];
const azure = (power: readonly { readonly at: number; readonly state: string }[], id = VM) => ({
  machines: [{ id, power }],
  disks: [],
});
const writer = (disk: number, openedAtMs: number, closedAtMs: number | null) => ({
  disk,
  export: `e-${openedAtMs}`,
  openedAtMs,
  closedAtMs,
});

/** On at home until 10, in Azure from 20 to 40, at home again from 50. */
const proper: Evidence = {
  machine: 'web-01',
  home: home(
    [
      { atMs: 0, on: true },
      { atMs: 10, on: false },
      { atMs: 50, on: true },
    ],
    [writer(2000, 30, 45), writer(2001, 30, 45), writer(2000, 45, 49)],
  ),
  azure: azure([
    { at: 20, state: 'starting' },
    { at: 25, state: 'running' },
    { at: 38, state: 'stopping' },
    { at: 40, state: 'stopped' },
    { at: 60, state: 'deleted' },
  ]),
  resources: [
    resource('Microsoft.Compute/disks', 'web-01-disk0'),
    resource('Microsoft.Compute/disks', 'web-01-disk1'),
    resource('Microsoft.Compute/snapshots', 'web-01-disk0-s00000000'),
    resource('Microsoft.Compute/snapshots', 'web-01-disk0-s00000001'),
    {
      id: '/subscriptions/s/resourceGroups/practice-network/providers/Microsoft.Network/virtualNetworks/v',
      type: 'Microsoft.Network/virtualNetworks',
      name: 'v',
      tags: {},
    },
  ],
  liveRuns: ['run-1'],
  snapshots: ['switchback-item-00000007', 'before-upgrade'],
  mayHaveSnapshot: (name) => name === 'switchback-item-00000007',
  strangers: [],
  runBlobs: [],
  excused: [],
};

const kinds = (change: Partial<Evidence>) => audit({ ...proper, ...change }).map(({ kind }) => kind);

it('finds nothing in a proper round trip', () => {
  expect(audit(proper)).toEqual([]);
});

it.each<[string, Partial<Evidence>]>([
  [
    'the machine at home was on while Azure was starting',
    {
      home: home([
        { atMs: 0, on: true },
        { atMs: 21, on: false },
      ]),
    },
  ],
  ['Azure was still stopping', { home: home([{ atMs: 39, on: true }]) }],
  ['both are on now', { home: home([{ atMs: 70, on: true }]), azure: azure([{ at: 65, state: 'running' }]) }],
])('both on: %s', (_what, change) => {
  expect(kinds(change)).toEqual(['bothOn']);
});

it('a drill beside the machine at home is no second side, nor is what the test did itself', () => {
  const on = home([{ atMs: 0, on: true }]);
  const drill = azure([{ at: 20, state: 'running' }], `${VM}-test`);
  expect(kinds({ home: on, azure: drill })).toEqual([]);
  expect(
    kinds({
      home: home([
        { atMs: 30, on: true },
        { atMs: 35, on: false },
      ]),
      excused: [{ from: 29, to: 36 }],
    }),
  ).toEqual([]);
});

const off = [{ atMs: 0, on: false }];
it.each<[string, Partial<Evidence>]>([
  ['two exports of one disk', { home: home(off, [writer(2000, 30, 40), writer(2000, 39, null)]) }],
  ['an export beside the guest', { home: home([{ atMs: 50, on: true }], [writer(2000, 40, null)]) }],
  [
    'an import beside the guest in Azure',
    {
      azure: {
        machines: [],
        disks: [
          {
            id: 'd',
            writes: [
              { writer: 'import', firstAt: 1, lastAt: 5, bytes: 1 },
              { writer: 'guest', firstAt: 4, lastAt: 9, bytes: 1 },
            ],
          },
        ],
      },
    },
  ],
])('double writer: %s', (_what, change) => {
  expect(kinds(change)).toEqual(['doubleWriter']);
});

it.each<[string, Partial<Evidence>]>([
  [
    'two machines of a run',
    { resources: ['a', 'b'].map((name) => resource('Microsoft.Compute/virtualMachines', name)) },
  ],
  [
    'a disk made twice',
    { resources: ['x-disk0', 'y-disk0'].map((name) => resource('Microsoft.Compute/disks', name)) },
  ],
  ['a snapshot of one name twice', { snapshots: ['before-upgrade', 'before-upgrade'] }],
])('duplicate: %s', (_what, change) => {
  expect(kinds(change)).toEqual(['duplicate']);
});

it.each<[string, Partial<Evidence>]>([
  [
    'a resource without a run',
    { resources: [{ ...resource('Microsoft.Compute/disks', 'web-01-disk0'), tags: {} }] },
  ],
  ['resources of a run that is over', { resources: proper.resources.slice(0, 1), liveRuns: [] }],
  ['a snapshot its state does not explain', { snapshots: ['switchback-item-home-0001'] }],
  ['a machine nobody ordered', { strangers: ['web-01-copy'] }],
  ['a staged disk', { runBlobs: ['failover/run-0/disk.vhd'] }],
])('orphan: %s', (_what, change) => {
  expect(kinds(change)).toEqual(['orphan']);
});
