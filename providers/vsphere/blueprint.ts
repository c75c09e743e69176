/** Pure mapping from a blueprint to the configuration vCenter makes a machine from. */
import { DrError } from '../../domain/errors.ts';
import type { MachineBlueprint } from '../../domain/ports.ts';
import { KiB } from '../../domain/units.ts';
import { guestFamily } from './machine.ts';
import type { Network } from './networks.ts';
import type { ConfigSpec } from './requests.ts';
import { typed } from './values.ts';

/** In the extra configuration of each machine that Switchback made. */
export const KEY_OPTION = 'switchback.key';

/** Devices a guest of the family has drivers for without installing any. */
const devices = {
  linux: { controller: 'ParaVirtualSCSIController', adapter: 'VirtualVmxnet3' },
  windows: { controller: 'VirtualLsiLogicSASController', adapter: 'VirtualE1000e' },
  other: { controller: 'VirtualLsiLogicController', adapter: 'VirtualE1000' },
} as const;

const CONTROLLERS_MAX = 4;
/** The controller itself sits at this place of its bus. */
const CONTROLLER_UNIT = 7;
const UNITS = Array.from({ length: 16 }, (_, unit) => unit).filter((unit) => unit !== CONTROLLER_UNIT);
export const DISKS_MAX = CONTROLLERS_MAX * UNITS.length;

/** Devices that are made together refer to each other by negative keys of the caller's choice. */
const controllerKey = (bus: number) => -(100 + bus);
const diskKey = (index: number) => -(200 + index);
const adapterKey = (index: number) => -(300 + index);

/**
 * Disks are thin, empty and in order: unit 0 of the first controller is what the machine boots from.
 * Adapters are connected when the machine is powered on.
 */
export function machineSpec(
  blueprint: MachineBlueprint,
  networks: ReadonlyMap<string, Pick<Network, 'backing'>>,
): ConfigSpec {
  if (blueprint.disks.length > DISKS_MAX) {
    const problems = `a machine in vSphere has at most ${DISKS_MAX} disks, not ${blueprint.disks.length}`;
    throw new DrError('DR_REQUEST_INVALID', { problems });
  }
  const { controller, adapter } = devices[guestFamily(blueprint.guestId)];
  const buses = Math.max(1, Math.ceil(blueprint.disks.length / UNITS.length));
  return {
    name: blueprint.name,
    guestId: blueprint.guestId,
    firmware: blueprint.firmware,
    numCPUs: blueprint.cpuCount,
    memoryMB: blueprint.memoryMiB,
    files: { vmPathName: `[${blueprint.datastore}]` },
    extraConfig: [
      { key: KEY_OPTION, value: { attributes: { 'xsi:type': 'xsd:string' }, $value: blueprint.key } },
    ],
    deviceChange: [
      ...Array.from({ length: buses }, (_, bus) => add(scsiController(controller, bus))),
      ...blueprint.disks.map((disk, index) => ({
        ...add(thinDisk(disk.capacityBytes, index, blueprint.datastore)),
        fileOperation: 'create',
      })),
      ...blueprint.nics.map(({ networkName }, index) =>
        add(networkAdapter(adapter, index, networks.get(networkName)?.backing)),
      ),
    ],
  };
}

function add(device: object) {
  return { operation: 'add', device };
}

function scsiController(type: string, busNumber: number): object {
  return typed(type, { key: controllerKey(busNumber), busNumber, sharedBus: 'noSharing' });
}

function thinDisk(capacityBytes: number, index: number, datastore: string): object {
  return typed('VirtualDisk', {
    key: diskKey(index),
    backing: typed('VirtualDiskFlatVer2BackingInfo', {
      fileName: `[${datastore}]`,
      diskMode: 'persistent',
      thinProvisioned: true,
    }),
    controllerKey: controllerKey(Math.floor(index / UNITS.length)),
    unitNumber: UNITS[index % UNITS.length],
    capacityInKB: Math.ceil(capacityBytes / KiB),
    capacityInBytes: capacityBytes,
  });
}

function networkAdapter(type: string, index: number, backing: object | undefined): object {
  return typed(type, {
    key: adapterKey(index),
    backing,
    connectable: { startConnected: true, allowGuestControl: true, connected: false },
    addressType: 'generated',
  });
}
