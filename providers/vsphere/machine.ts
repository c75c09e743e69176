/** Pure mapping from vSphere's properties of a virtual machine to what discovery knows of it. */
import { z } from 'zod';
import { asId, type MachineId, type VCenterId } from '../../domain/ids.ts';
import type { DiscoveredDisk, DiscoveredMachine, DiscoveredNic } from '../../domain/machine.ts';
import type { SnapshotDisk } from '../../domain/ports.ts';
import { flattenSnapshots } from './snapshot-tree.ts';
import { moRefSchema, typeOf } from './values.ts';

/** All that is read of a machine; never the whole `config`. */
export const MACHINE_PATHS = [
  'name',
  'config.instanceUuid',
  'config.template',
  'config.guestId',
  'config.firmware',
  'config.hardware.numCPU',
  'config.hardware.memoryMB',
  'config.hardware.device',
  'config.changeTrackingEnabled',
  'capability.changeTrackingSupported',
  'runtime.powerState',
  'snapshot.rootSnapshotList',
  'parent',
  'parentVApp',
] as const;

/** An empty element of a type that the WSDL does not describe is read as null. */
const text = z
  .string()
  .nullish()
  .transform((value) => value ?? undefined);
const count = z.coerce.number().optional();

const deviceSchema = z.object({
  attributes: z.record(z.string(), z.string()),
  key: z.coerce.number(),
  controllerKey: count,
  deviceInfo: z.object({ label: text }).nullish(),
  capacityInBytes: count,
  capacityInKB: count,
  macAddress: text,
  sharedBus: text,
  backing: z
    .object({
      attributes: z.record(z.string(), z.string()),
      fileName: text,
      diskMode: text,
      sharing: text,
      compatibilityMode: text,
      changeId: text,
      deviceName: text,
      opaqueNetworkId: text,
      port: z.object({ portgroupKey: text }).nullish(),
    })
    .nullish(),
});

type Device = z.output<typeof deviceSchema>;

const machineSchema = z.object({
  name: z.string(),
  'config.instanceUuid': z.string().min(1),
  'config.template': z.boolean().default(false),
  'config.guestId': z.string().default(''),
  'config.firmware': z.string().default('bios'),
  'config.hardware.numCPU': z.number(),
  'config.hardware.memoryMB': z.number(),
  'config.hardware.device': z.array(deviceSchema).default([]),
  'config.changeTrackingEnabled': z.boolean().default(false),
  'capability.changeTrackingSupported': z.boolean().default(false),
  'runtime.powerState': z.enum(['poweredOn', 'poweredOff', 'suspended']),
  'snapshot.rootSnapshotList': z.unknown().optional(),
  /** A machine of a vApp has no folder of its own. */
  parent: moRefSchema.optional(),
  parentVApp: moRefSchema.optional(),
});

/** Null for a template, and for a machine that vCenter cannot describe because its host or datastore is out of reach. */
export function toMachine(
  properties: Readonly<Record<string, unknown>>,
  origin: {
    readonly vcenterId: VCenterId;
    readonly moRef: string;
    readonly networkNames: ReadonlyMap<string, string>;
    /** Of what holds machines, by reference; absent: not asked for. */
    readonly folderPaths?: ReadonlyMap<string, string>;
  },
): DiscoveredMachine | null {
  if (properties['config.instanceUuid'] === undefined || properties['config.template'] === true) return null;
  const machine = machineSchema.parse(properties);
  const devices = machine['config.hardware.device'];
  const folder = origin.folderPaths?.get((machine.parent ?? machine.parentVApp)?.$value ?? '');
  return {
    id: asId<MachineId>(machine['config.instanceUuid'].toLowerCase()),
    vcenterId: origin.vcenterId,
    moRef: origin.moRef,
    name: machine.name,
    powerState: machine['runtime.powerState'],
    guestId: machine['config.guestId'],
    guestFamily: guestFamily(machine['config.guestId']),
    firmware: machine['config.firmware'] === 'efi' ? 'efi' : 'bios',
    cpuCount: machine['config.hardware.numCPU'],
    memoryMiB: machine['config.hardware.memoryMB'],
    disks: disksOf(devices).map((disk) => toDisk(disk, sharedControllers(devices))),
    nics: devices.flatMap((device) => toNic(device, origin.networkNames)),
    snapshotNames: flattenSnapshots(machine['snapshot.rootSnapshotList']).map((node) => node.name),
    changeTrackingSupported: machine['capability.changeTrackingSupported'],
    changeTrackingEnabled: machine['config.changeTrackingEnabled'],
    ...(folder === undefined ? {} : { folder }),
  };
}

/** Disks of a device list as a snapshot holds them, with the changeId of that moment. */
export function readDisks(devices: unknown): SnapshotDisk[] {
  return disksOf(z.array(deviceSchema).parse(devices ?? [])).map((disk) => ({
    deviceKey: disk.key,
    capacityBytes: capacityBytes(disk),
    changeId: disk.backing?.changeId || null,
    fileName: disk.backing?.fileName ?? '',
  }));
}

const guestFamilies: readonly (readonly [RegExp, DiscoveredMachine['guestFamily']])[] = [
  [/^win/i, 'windows'],
  [
    /linux|rhel|centos|debian|ubuntu|sles|suse|fedora|redhat|photon|coreos|rocky|alma|asianux|mandr|sjds|nld9|oes|genericlinux/i,
    'linux',
  ],
];

/** By the guest identifier the machine is configured for (vSphere API, `VirtualMachineGuestOsIdentifier`). */
export function guestFamily(guestId: string): DiscoveredMachine['guestFamily'] {
  return guestFamilies.find(([pattern]) => pattern.test(guestId))?.[1] ?? 'other';
}

const backings: Readonly<Record<string, DiscoveredDisk['backing']>> = {
  VirtualDiskFlatVer2BackingInfo: 'flat',
  VirtualDiskSeSparseBackingInfo: 'seSparse',
  VirtualDiskSparseVer2BackingInfo: 'sparse',
};

function backingOf(disk: Device): DiscoveredDisk['backing'] {
  const type = typeOf(disk.backing) ?? '';
  if (type !== 'VirtualDiskRawDiskMappingVer1BackingInfo') return backings[type] ?? 'other';
  return disk.backing?.compatibilityMode === 'virtualMode' ? 'rdmVirtual' : 'rdmPhysical';
}

function disksOf(devices: readonly Device[]): Device[] {
  return devices.filter((device) => typeOf(device) === 'VirtualDisk');
}

/** Keys of controllers whose bus other machines may use too. */
function sharedControllers(devices: readonly Device[]): ReadonlySet<number> {
  const isShared = ({ sharedBus }: Device) => sharedBus !== undefined && sharedBus !== 'noSharing';
  return new Set(devices.filter(isShared).map((device) => device.key));
}

function toDisk(disk: Device, shared: ReadonlySet<number>): DiscoveredDisk {
  const sharing = disk.backing?.sharing ?? 'sharingNone';
  return {
    deviceKey: disk.key,
    label: disk.deviceInfo?.label ?? '',
    capacityBytes: capacityBytes(disk),
    backing: backingOf(disk),
    fileName: disk.backing?.fileName ?? '',
    diskMode: disk.backing?.diskMode ?? '',
    shared: sharing !== 'sharingNone' || shared.has(disk.controllerKey ?? 0),
  };
}

function capacityBytes(disk: Device): number {
  return disk.capacityInBytes ?? (disk.capacityInKB ?? 0) * 1024;
}

function toNic(device: Device, networkNames: ReadonlyMap<string, string>): DiscoveredNic[] {
  if (device.macAddress === undefined) return [];
  const key = device.backing?.port?.portgroupKey ?? device.backing?.opaqueNetworkId ?? '';
  const networkName = device.backing?.deviceName ?? networkNames.get(key) ?? key;
  return [{ deviceKey: device.key, macAddress: device.macAddress, networkName }];
}
