/** From fresh facts of a machine to the record of a protected item. Pure. */
import { createHash } from 'node:crypto';
import { DrError } from '../../domain/errors.ts';
import { asId, type DiskId, type ProtectedItemId } from '../../domain/ids.ts';
import type {
  DiscoveredDisk,
  DiscoveredMachine,
  Hardware,
  ItemSpec,
  ProtectedDisk,
} from '../../domain/machine.ts';
import { protectabilityProblems } from '../../domain/protectability.ts';
import type { ProtectInput } from '../../workflows/contracts/types.ts';

/** @throws the first of `protectabilityProblems` */
export function itemSpec(input: ProtectInput, machine: DiscoveredMachine): ItemSpec {
  const [problem] = protectabilityProblems(machine, input.excludedDisks);
  if (problem !== undefined) throw problem;
  const disks = machine.disks
    .filter((disk) => !input.excludedDisks.includes(disk.deviceKey))
    .map((disk, index) => protectedDisk(input.itemId, disk, index));
  return {
    version: 1,
    itemId: input.itemId,
    machineId: machine.id,
    machineName: machine.name,
    vcenterId: input.vcenterId,
    site: input.site,
    guestFamily: machine.guestFamily,
    firmware: machine.firmware,
    disks,
    policy: input.policy,
    target: input.target,
    hardware: hardwareOf(machine),
    excludedDisks: input.excludedDisks,
    ...(input.physical === undefined ? {} : { isPhysical: input.physical }),
  };
}

/**
 * The same disks with the capacities they have now: a disk may have grown.
 * @throws DR_MACHINE_DISK_CHANGED when a protected disk is not attached any more or has become smaller
 */
export function withFreshDisks(item: ItemSpec, machine: DiscoveredMachine): ItemSpec {
  const disks = item.disks.map((disk) => {
    const live = machine.disks.find((each) => each.deviceKey === disk.deviceKey);
    if (live === undefined) throw changed(item, disk, 'it is not attached any more');
    if (live.capacityBytes < disk.capacityBytes) {
      throw changed(item, disk, `it had ${disk.capacityBytes} bytes and has ${live.capacityBytes} now`);
    }
    return { ...disk, label: live.label, capacityBytes: live.capacityBytes };
  });
  return { ...item, disks };
}

/**
 * The item with further disks of its machine, which join the stream with barrier `joinedAtBarrier`. Disks that are
 * protected already stay as they are.
 * @throws DR_DISK_UNKNOWN, or the first of `protectabilityProblems` of the new disks
 */
export function withAddedDisks(
  item: ItemSpec,
  machine: DiscoveredMachine,
  added: { readonly deviceKeys: readonly number[]; readonly joinedAtBarrier: number },
): ItemSpec {
  const known = new Set(item.disks.map((disk) => disk.deviceKey));
  const newKeys = [...new Set(added.deviceKeys)].filter((key) => !known.has(key));
  const others = machine.disks.map((disk) => disk.deviceKey).filter((key) => !newKeys.includes(key));
  const found = newKeys.map((key) => {
    const disk = machine.disks.find((each) => each.deviceKey === key);
    if (disk === undefined) throw new DrError('DR_DISK_UNKNOWN', { machine: item.machineName, disk: key });
    return disk;
  });
  if (found.length === 0) return item;
  const [problem] = protectabilityProblems(machine, others);
  if (problem !== undefined) throw problem;
  const next = Math.max(-1, ...item.disks.map((disk) => disk.index)) + 1;
  const taken = item.disks.map((disk) => disk.diskId);
  const joined = found.map((disk, position) => ({
    ...protectedDisk(item.itemId, disk, next + position),
    diskId: freeDiskId(item.itemId, disk.deviceKey, taken),
    joinedAtBarrier: added.joinedAtBarrier,
  }));
  return {
    ...item,
    disks: [...item.disks, ...joined],
    ...(item.excludedDisks === undefined
      ? {}
      : { excludedDisks: item.excludedDisks.filter((key) => !newKeys.includes(key)) }),
  };
}

function hardwareOf(machine: DiscoveredMachine): Hardware {
  const [first] = machine.disks;
  return {
    guestId: machine.guestId,
    cpuCount: machine.cpuCount,
    memoryMiB: machine.memoryMiB,
    nics: machine.nics,
    datastore: /^\[([^\]]+)\]/.exec(first?.fileName ?? '')?.[1] ?? '',
  };
}

function protectedDisk(item: ProtectedItemId, disk: DiscoveredDisk, index: number): ProtectedDisk {
  return {
    diskId: diskIdOf(item, disk.deviceKey),
    deviceKey: disk.deviceKey,
    label: disk.label,
    capacityBytes: disk.capacityBytes,
    index,
  };
}

/** After a way home to another place a device key may be that of a disk that had it before. */
function freeDiskId(item: ProtectedItemId, deviceKey: number, taken: readonly DiskId[]): DiskId {
  let id = diskIdOf(item, deviceKey);
  for (let other = 1; taken.includes(id); other += 1) id = diskIdOf(item, `${deviceKey}/${other}`);
  return id;
}

function diskIdOf(item: ProtectedItemId, deviceKey: number | string): DiskId {
  return asId(createHash('sha256').update(`${item}/${deviceKey}`).digest('hex').slice(0, 32));
}

function changed(item: ItemSpec, disk: ProtectedDisk, reason: string): DrError {
  return new DrError('DR_MACHINE_DISK_CHANGED', { disk: disk.label, machine: item.machineName, reason });
}
