import { expect, test } from '@jest/globals';
import { asId } from '../../../domain/ids.ts';
import type { ItemSpec } from '../../../domain/machine.ts';
import { digestChanges, memberDigest } from '../../../domain/plan/member-digest.ts';
import { GiB, KiB } from '../../../domain/units.ts';
import { sampleMachine, sampleSpec } from '../../support/samples.ts';

const disk = (index: number, capacityBytes: number): ItemSpec['disks'][number] => ({
  diskId: asId(`disk-${index}`),
  deviceKey: 2000 + index,
  label: `Hard disk ${index + 1}`,
  capacityBytes,
  index,
});
const subnetId =
  '/subscriptions/s/resourceGroups/net/providers/Microsoft.Network/virtualNetworks/dr/subnets/web';
const spec = sampleSpec(1, {
  disks: [disk(0, 8 * GiB), disk(1, 2 * GiB)],
  target: { location: 'westeurope', vmSize: 'Standard_D2s_v5', subnetId },
});
const machine = sampleMachine(1, {
  disks: [0, 1, 2].map((n) => ({
    ...sampleMachine(1).disks[0]!,
    deviceKey: 2000 + n,
    label: `Hard disk ${n + 1}`,
  })),
});

test('a digest says in words what a drill of the machine depends on', () => {
  expect(memberDigest(spec, machine)).toEqual({
    'disk 1': '8 GiB',
    'disk 2': '2 GiB',
    'unprotected disks': 'Hard disk 3 (8 GiB)',
    firmware: 'bios',
    CPUs: '2',
    memory: '2 GiB',
    region: 'westeurope',
    size: 'Standard_D2s_v5',
    subnet: 'net/dr/web',
  });
});

test.each<[string, ItemSpec, string[]]>([
  ['nothing', spec, []],
  [
    'a disk that grew',
    { ...spec, disks: [disk(0, 8 * GiB), disk(1, 3 * GiB + KiB)] },
    ['disk 2 was 2 GiB, is 3145729 KiB'],
  ],
  [
    'a disk that is protected now',
    { ...spec, disks: [...spec.disks, disk(2, 8 * GiB)] },
    ['unprotected disks was Hard disk 3 (8 GiB), is none', 'disk 3 is new: 8 GiB'],
  ],
  [
    'target settings',
    { ...spec, target: { ...spec.target, vmSize: 'Standard_D4s_v5', privateIpAddress: '10.0.0.4' } },
    ['size was Standard_D2s_v5, is Standard_D4s_v5', 'address is new: 10.0.0.4'],
  ],
  ['firmware', { ...spec, firmware: 'efi' }, ['firmware was bios, is efi']],
])('a change names what it is about: %s', (_, changed, told) => {
  expect(digestChanges(memberDigest(spec, machine), memberDigest(changed, machine))).toEqual(told);
});

test('what is not known of a machine that is not listed has not changed', () => {
  const bigger = { ...machine, cpuCount: 8 };
  expect(digestChanges(memberDigest(spec, machine), memberDigest(spec))).toEqual([]);
  expect(digestChanges(memberDigest(spec), memberDigest(spec, bigger))).toEqual([]);
  expect(digestChanges(memberDigest(spec, machine), memberDigest(spec, bigger))).toEqual([
    'CPUs was 2, is 8',
  ]);
});
