/** What keeps a machine from being protected: asked of the catalogue early, and of fresh facts before anything is changed. */
import { DrError } from './errors.ts';
import type { DiscoveredDisk, DiscoveredMachine } from './machine.ts';
import { SNAPSHOT_PREFIX } from './names.ts';
import { AZURE_DISK_GIB_MAX, GiB } from './units.ts';

type Check = (machine: DiscoveredMachine, disk: DiscoveredDisk) => DrError | undefined;

const diskChecks: readonly Check[] = [
  (machine, disk) =>
    disk.diskMode.startsWith('independent')
      ? new DrError('DR_MACHINE_DISK_INDEPENDENT', { ...names(machine, disk), mode: disk.diskMode })
      : undefined,
  (machine, disk) =>
    disk.backing === 'rdmPhysical' || disk.backing === 'rdmVirtual'
      ? new DrError('DR_MACHINE_DISK_RDM', { ...names(machine, disk), backing: disk.backing })
      : undefined,
  (machine, disk) =>
    disk.backing === 'other' ? new DrError('DR_MACHINE_DISK_UNSUPPORTED', names(machine, disk)) : undefined,
  (machine, disk) => (disk.shared ? new DrError('DR_MACHINE_DISK_SHARED', names(machine, disk)) : undefined),
  (machine, disk) =>
    disk.capacityBytes > AZURE_DISK_GIB_MAX * GiB
      ? new DrError('DR_MACHINE_DISK_TOO_LARGE', {
          ...names(machine, disk),
          gib: Math.ceil(disk.capacityBytes / GiB),
          gibMax: AZURE_DISK_GIB_MAX,
        })
      : undefined,
];

/** Every problem, machine first, then disks in order; empty: the machine can be protected. `excludedDisks` are device keys. */
export function protectabilityProblems(
  machine: DiscoveredMachine,
  excludedDisks: readonly number[],
): DrError[] {
  const disks = machine.disks.filter((disk) => !excludedDisks.includes(disk.deviceKey));
  const ofDisks = disks.flatMap((disk) => diskChecks.flatMap((check) => check(machine, disk) ?? []));
  return [...machineProblems(machine, disks), ...ofDisks];
}

function machineProblems(machine: DiscoveredMachine, disks: readonly DiscoveredDisk[]): DrError[] {
  const context = { machine: machine.name };
  const foreign = machine.snapshotNames.filter((name) => !name.startsWith(SNAPSHOT_PREFIX));
  return [
    ...(disks.length === 0 ? [new DrError('DR_MACHINE_WITHOUT_DISKS', context)] : []),
    ...(machine.changeTrackingSupported ? [] : [new DrError('DR_MACHINE_NO_CHANGE_TRACKING', context)]),
    ...(foreign.length === 0
      ? []
      : [new DrError('DR_MACHINE_FOREIGN_SNAPSHOT', { ...context, snapshots: foreign.join(', ') })]),
  ];
}

function names(machine: DiscoveredMachine, disk: DiscoveredDisk) {
  return { machine: machine.name, disk: disk.label };
}
