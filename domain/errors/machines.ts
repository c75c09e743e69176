/** Machines that are to be protected. */
import { entry, type ErrorEntry } from './entry.ts';

export const machineErrors = {
  DR_MACHINE_UNKNOWN: entry(
    'fail',
    404,
    3,
    'There is no machine "{machine}"',
    'List machines with `switchback machine list`; discovery may be older than the machine: add --refresh.',
  ),
  DR_MACHINE_AMBIGUOUS: entry(
    'fail',
    409,
    2,
    '"{machine}" names {count} machines: {ids}',
    'Use the machine id instead of the name.',
  ),
  DR_MACHINE_ALREADY_PROTECTED: entry(
    'fail',
    409,
    4,
    'Machine "{machine}" is protected already',
    'Look at it with `switchback item show {machine}`.',
  ),
  DR_MACHINE_DISK_INDEPENDENT: entry(
    'fail',
    422,
    4,
    'Disk "{disk}" of "{machine}" is {mode}: snapshots leave it out, so it cannot be replicated',
    'Change the disk mode to dependent in vCenter, or exclude the disk.',
  ),
  DR_MACHINE_DISK_RDM: entry(
    'fail',
    422,
    4,
    'Disk "{disk}" of "{machine}" is a raw device mapping ({backing})',
    'Convert it to a VMDK in vCenter, or exclude the disk.',
  ),
  DR_MACHINE_DISK_UNSUPPORTED: entry(
    'fail',
    422,
    4,
    'Disk "{disk}" of "{machine}" has a kind of backing that cannot be tracked',
    'Convert it to a VMDK on a datastore, or exclude the disk.',
  ),
  DR_MACHINE_DISK_SHARED: entry(
    'fail',
    422,
    4,
    'Disk "{disk}" of "{machine}" is shared between machines',
    'Exclude the disk; shared disks cannot be tracked.',
  ),
  DR_MACHINE_DISK_TOO_LARGE: entry(
    'fail',
    422,
    8,
    'Disk "{disk}" of "{machine}" has {gib} GiB; Azure imports at most {gibMax} GiB',
    'Exclude the disk or move its data to smaller disks.',
  ),
  DR_MACHINE_FOREIGN_SNAPSHOT: entry(
    'fail',
    409,
    4,
    'Machine "{machine}" has snapshots that are not ours: {snapshots}',
    'Delete or consolidate them in vCenter; change tracking cannot be enabled safely while they exist.',
  ),
  DR_MACHINE_NO_CHANGE_TRACKING: entry(
    'fail',
    422,
    4,
    'Machine "{machine}" does not support changed-block tracking',
    'Upgrade the virtual hardware to version 7 or newer.',
  ),
  DR_MACHINE_DISK_CHANGED: entry(
    'pause',
    409,
    7,
    'Disk "{disk}" of "{machine}" is not what was protected: {reason}',
    'Recovery points made so far stay usable. Protect the machine again to take the change in.',
  ),
  DR_MACHINE_WITHOUT_DISKS: entry(
    'fail',
    422,
    4,
    'Machine "{machine}" has no disk to protect',
    'Attach a disk, or do not exclude all of them.',
  ),
} as const satisfies Record<string, ErrorEntry>;
