import { describe, expect, test } from '@jest/globals';
import { asId, type VCenterId } from '../../../domain/ids.ts';
import { guestFamily, MACHINE_PATHS, readDisks, toMachine } from '../../../providers/vsphere/machine.ts';
import { typed, unwrap } from '../../../providers/vsphere/values.ts';

const controller = typed('ParaVirtualSCSIController', { key: 1000, busNumber: 0, sharedBus: 'noSharing' });
const sharedController = typed('VirtualLsiLogicSASController', { key: 1001, sharedBus: 'physicalSharing' });

function disk(key: number, backing: object, more: object = {}): object {
  return typed('VirtualDisk', {
    key,
    controllerKey: 1000,
    deviceInfo: { label: `Hard disk ${key}`, summary: '' },
    capacityInKB: 1024,
    capacityInBytes: 1024 * 1024,
    backing,
    ...more,
  });
}

const flat = (more: object = {}) =>
  typed('VirtualDiskFlatVer2BackingInfo', { fileName: '[ds] a/a.vmdk', diskMode: 'persistent', ...more });

function machine(devices: readonly object[], more: object = {}) {
  const properties = {
    name: 'db-01',
    'config.instanceUuid': '5029ABCD-0000-1111-2222-333344445555',
    'config.template': false,
    'config.guestId': 'debian12_64Guest',
    'config.firmware': 'efi',
    'config.hardware.numCPU': 4,
    'config.hardware.memoryMB': 8192,
    'config.hardware.device': devices,
    'config.changeTrackingEnabled': true,
    'capability.changeTrackingSupported': true,
    'runtime.powerState': 'poweredOn',
    ...more,
  };
  return toMachine(properties, {
    vcenterId: asId<VCenterId>('hq'),
    moRef: 'vm-42',
    networkNames: new Map([['dvportgroup-7', 'production']]),
  });
}

describe('a discovered machine', () => {
  test('carries what protection needs, with its id in lower case', () => {
    expect(machine([controller, disk(2000, flat())])).toEqual({
      id: '5029abcd-0000-1111-2222-333344445555',
      vcenterId: 'hq',
      moRef: 'vm-42',
      name: 'db-01',
      powerState: 'poweredOn',
      guestId: 'debian12_64Guest',
      guestFamily: 'linux',
      firmware: 'efi',
      cpuCount: 4,
      memoryMiB: 8192,
      disks: [
        {
          deviceKey: 2000,
          label: 'Hard disk 2000',
          capacityBytes: 1_048_576,
          backing: 'flat',
          fileName: '[ds] a/a.vmdk',
          diskMode: 'persistent',
          shared: false,
        },
      ],
      nics: [],
      snapshotNames: [],
      changeTrackingSupported: true,
      changeTrackingEnabled: true,
    });
  });

  test.each([
    ['VirtualDiskFlatVer2BackingInfo', {}, 'flat'],
    ['VirtualDiskSeSparseBackingInfo', {}, 'seSparse'],
    ['VirtualDiskSparseVer2BackingInfo', {}, 'sparse'],
    ['VirtualDiskRawDiskMappingVer1BackingInfo', { compatibilityMode: 'physicalMode' }, 'rdmPhysical'],
    ['VirtualDiskRawDiskMappingVer1BackingInfo', { compatibilityMode: 'virtualMode' }, 'rdmVirtual'],
    ['VirtualDiskRawDiskMappingVer1BackingInfo', {}, 'rdmPhysical'],
    ['VirtualDiskFlatVer1BackingInfo', {}, 'other'],
    ['VirtualDiskLocalPMemBackingInfo', {}, 'other'],
  ])('with %s %j has a disk of kind %s', (type, fields, kind) => {
    expect(machine([disk(2000, typed(type, { fileName: 'f', ...fields }))])?.disks[0]?.backing).toBe(kind);
  });

  test('has a shared disk when the disk is multi-writer or its controller shares the bus', () => {
    const devices = [
      controller,
      sharedController,
      disk(2000, flat({ sharing: 'sharingMultiWriter' })),
      disk(2001, flat({ sharing: 'sharingNone' })),
      disk(2016, flat(), { controllerKey: 1001 }),
    ];
    expect(machine(devices)?.disks.map(({ shared }) => shared)).toEqual([true, false, true]);
  });

  test('computes the capacity from KiB where vCenter is too old to name bytes', () => {
    const old = disk(2000, flat(), { capacityInBytes: undefined, capacityInKB: 2048 });
    expect(machine([old])?.disks[0]?.capacityBytes).toBe(2048 * 1024);
  });

  test('names the network of an adapter, standard or distributed', () => {
    const standard = typed('VirtualEthernetCardNetworkBackingInfo', { deviceName: 'VM Network' });
    const distributed = typed('VirtualEthernetCardDistributedVirtualPortBackingInfo', {
      port: { switchUuid: 'u', portgroupKey: 'dvportgroup-7' },
    });
    const unknown = typed('VirtualEthernetCardDistributedVirtualPortBackingInfo', {
      port: { switchUuid: 'u', portgroupKey: 'dvportgroup-8' },
    });
    const nics = [standard, distributed, unknown].map((backing, index) =>
      typed('VirtualVmxnet3', { key: 4000 + index, macAddress: `00:50:56:00:00:0${index}`, backing }),
    );
    expect(machine(nics)?.nics).toEqual([
      { deviceKey: 4000, macAddress: '00:50:56:00:00:00', networkName: 'VM Network' },
      { deviceKey: 4001, macAddress: '00:50:56:00:00:01', networkName: 'production' },
      { deviceKey: 4002, macAddress: '00:50:56:00:00:02', networkName: 'dvportgroup-8' },
    ]);
  });

  test('lists the names of all its snapshots, children too', () => {
    const node = (name: string, children: readonly object[]) => ({
      snapshot: { attributes: { type: 'VirtualMachineSnapshot' }, $value: `snapshot-${name}` },
      name,
      createTime: new Date(0),
      quiesced: false,
      childSnapshotList: children,
    });
    const tree = [node('a', [node('b', [node('c', [])]), node('d', [])])];
    expect(machine([], { 'snapshot.rootSnapshotList': tree })?.snapshotNames).toEqual(['a', 'b', 'c', 'd']);
  });

  test.each([
    ['a template', { 'config.template': true }],
    ['a machine without configuration, on an unreachable host', { 'config.instanceUuid': undefined }],
  ])('is not %s', (_what, more) => {
    expect(machine([], more)).toBeNull();
  });

  test('ignores devices it does not know, however they look', () => {
    const odd = typed('VirtualCdrom', { key: '3000', backing: typed('Odd', { deviceName: null }) });
    expect(machine([odd])?.disks).toEqual([]);
  });
});

test.each([
  ['windows2022srvNext_64Guest', 'windows'],
  ['winNetEnterpriseGuest', 'windows'],
  ['rhel9_64Guest', 'linux'],
  ['other5xLinux64Guest', 'linux'],
  ['vmwarePhoton64Guest', 'linux'],
  ['rockylinux_64Guest', 'linux'],
  ['sles15_64Guest', 'linux'],
  ['darwin21_64Guest', 'other'],
  ['freebsd13_64Guest', 'other'],
  ['otherGuest64', 'other'],
  ['', 'other'],
] as const)('guest %s is of the family %s', (guestId, family) => {
  expect(guestFamily(guestId)).toBe(family);
});

test('an empty changeId counts as none', () => {
  const devices = [disk(1, flat({ changeId: '' })), disk(2, flat({ changeId: '52 2d/4' })), disk(3, flat())];
  expect(readDisks(devices).map(({ changeId }) => changeId)).toEqual([null, '52 2d/4', null]);
});

test('only a narrow set of properties is read', () => {
  expect(MACHINE_PATHS).not.toContain('config');
  expect(MACHINE_PATHS).not.toContain('layoutEx');
});

test.each([
  [{ attributes: { 'xsi:type': 'xsd:boolean' }, $value: 'false' }, false],
  [{ attributes: { 'XMLSchema-instance:type': 'xsd:long' }, $value: '4503599627370496' }, 2 ** 52],
  [{ attributes: { 'xsi:type': 'xsd:string' } }, ''],
  [
    { attributes: { 'xsi:type': 'xsd:dateTime' }, $value: '2026-01-02T03:04:05Z' },
    new Date('2026-01-02T03:04:05Z'),
  ],
  [{ attributes: { 'xsi:type': 'VirtualMachinePowerState' }, $value: 'poweredOn' }, 'poweredOn'],
  [{ attributes: { 'xsi:type': 'ArrayOfString' }, string: ['a'] }, ['a']],
  [{ attributes: { 'xsi:type': 'ArrayOfVirtualDevice' } }, []],
])('a value of any type is unwrapped: %j', (value, plain) => {
  expect(unwrap(value)).toEqual(plain);
});
