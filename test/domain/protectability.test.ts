import { describe, expect, test } from '@jest/globals';
import { asId } from '../../domain/ids.ts';
import type { DiscoveredDisk, DiscoveredMachine } from '../../domain/machine.ts';
import { protectabilityProblems } from '../../domain/protectability.ts';
import { GiB } from '../../domain/units.ts';

const disk = (over: Partial<DiscoveredDisk> = {}): DiscoveredDisk => ({
  deviceKey: 2000,
  label: 'Hard disk 1',
  capacityBytes: GiB,
  backing: 'flat',
  fileName: '[ds] m/m.vmdk',
  diskMode: 'persistent',
  shared: false,
  ...over,
});

const machine = (over: Partial<DiscoveredMachine> = {}): DiscoveredMachine => ({
  id: asId('00000000-0000-4000-8000-000000000001'),
  vcenterId: asId('vc'),
  moRef: 'vm-1',
  name: 'web',
  powerState: 'poweredOn',
  guestId: 'debian12_64Guest',
  guestFamily: 'linux',
  firmware: 'bios',
  cpuCount: 1,
  memoryMiB: 1024,
  disks: [disk()],
  nics: [],
  snapshotNames: [],
  changeTrackingSupported: true,
  changeTrackingEnabled: false,
  ...over,
});

const codes = (of: DiscoveredMachine, excluded: number[] = []) =>
  protectabilityProblems(of, excluded).map((problem) => problem.code);

describe('protectability', () => {
  test('a plain machine has no problem, and product snapshots are none', () => {
    expect(codes(machine({ snapshotNames: ['switchback-00000000-00000001'] }))).toEqual([]);
  });

  test.each([
    ['DR_MACHINE_DISK_INDEPENDENT', { diskMode: 'independent_persistent' }],
    ['DR_MACHINE_DISK_RDM', { backing: 'rdmVirtual' }],
    ['DR_MACHINE_DISK_UNSUPPORTED', { backing: 'other' }],
    ['DR_MACHINE_DISK_SHARED', { shared: true }],
    ['DR_MACHINE_DISK_TOO_LARGE', { capacityBytes: 8191 * GiB + 1 }],
  ] as const)('%s is told for its disk and gone when the disk is excluded', (code, over) => {
    const bad = machine({ disks: [disk(), disk({ deviceKey: 2001, label: 'Hard disk 2', ...over })] });
    expect(codes(bad)).toEqual([code]);
    expect(protectabilityProblems(bad, [])[0]?.message).toContain('Hard disk 2');
    expect(codes(bad, [2001])).toEqual([]);
  });

  test('the largest disk that Azure imports is accepted', () => {
    expect(codes(machine({ disks: [disk({ capacityBytes: 8191 * GiB })] }))).toEqual([]);
  });

  test('all problems are told together', () => {
    const bad = machine({
      snapshotNames: ['before upgrade'],
      changeTrackingSupported: false,
      disks: [disk({ shared: true, diskMode: 'independent_nonpersistent' })],
    });
    expect(codes(bad)).toEqual([
      'DR_MACHINE_NO_CHANGE_TRACKING',
      'DR_MACHINE_FOREIGN_SNAPSHOT',
      'DR_MACHINE_DISK_INDEPENDENT',
      'DR_MACHINE_DISK_SHARED',
    ]);
  });

  test('a machine whose disks are all excluded has nothing to protect', () => {
    expect(codes(machine(), [2000])).toEqual(['DR_MACHINE_WITHOUT_DISKS']);
  });
});
