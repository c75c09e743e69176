/** Turns changed-block tracking on, and proves that it counts; or off, and proves that it does not. */
import { DrError } from '../../domain/errors.ts';
import type { DiscoveredMachine } from '../../domain/machine.ts';
import type { OnProgress, SnapshotDisk } from '../../domain/ports.ts';
import { VimFault } from './faults.ts';
import { readDisks } from './machine.ts';
import { retrieve } from './properties.ts';
import { requests } from './requests.ts';
import type { VimSession } from './session.ts';
import { createSnapshot, itemSnapshotPrefix, removeSnapshots } from './snapshot.ts';
import { runTask } from './task.ts';
import { type MoRef, mor } from './values.ts';

/** The first snapshot after the change makes it take effect, the second shows a changeId at the latest. */
const PROBES_MAX = 2;

/**
 * Tracking takes effect when the machine passes through a snapshot; with snapshots present it would begin
 * from a wrong base and vCenter would not say so, hence foreign ones are refused (KB 320557).
 */
export async function enableChangeTracking(
  session: VimSession,
  machine: DiscoveredMachine,
  onProgress: OnProgress,
): Promise<void> {
  const ref = mor('VirtualMachine', machine.moRef);
  if (!machine.changeTrackingSupported) throw untracked(machine);
  if (machine.changeTrackingEnabled && isEveryDiskTracked(machine, await readLiveDisks(session, ref))) return;
  if (!machine.changeTrackingEnabled) {
    refuseForeignSnapshots(machine);
    const prefix = itemSnapshotPrefix(machine.id);
    await removeSnapshots(session, ref, (name) => name.startsWith(prefix), onProgress);
    await runTask(session, requests.enableChangeTracking(ref), onProgress);
  }
  for (let probe = 1; probe <= PROBES_MAX; probe += 1) {
    if (isEveryDiskTracked(machine, await probeTracking(session, ref, machine, onProgress))) return;
  }
  throw untracked(machine);
}

/**
 * What is written from outside afterwards is in no record of changes; tracking that is enabled again begins anew.
 * Takes effect at once while the machine is off, else when it passes through a snapshot.
 */
export async function disableChangeTracking(
  session: VimSession,
  machine: DiscoveredMachine,
  onProgress: OnProgress,
): Promise<void> {
  const ref = mor('VirtualMachine', machine.moRef);
  if (machine.changeTrackingEnabled) {
    await runTask(session, requests.reconfigure(ref, { changeTrackingEnabled: false }), onProgress);
  }
  if (machine.powerState === 'poweredOff') return;
  for (let probe = 1; probe <= PROBES_MAX; probe += 1) {
    if (!isAnyDiskTracked(await probeTracking(session, ref, machine, onProgress))) return;
  }
  throw new VimFault('InvalidState', 'change tracking is still in effect after it was turned off');
}

/** Disks as a fresh snapshot shows them; one that a killed attempt left is of an earlier time. */
async function probeTracking(
  session: VimSession,
  ref: MoRef,
  machine: DiscoveredMachine,
  onProgress: OnProgress,
): Promise<readonly SnapshotDisk[]> {
  const name = `${itemSnapshotPrefix(machine.id)}tracking`;
  const description = 'Makes changed-block tracking take effect; removed at once';
  const remove = () => removeSnapshots(session, ref, (candidate) => candidate === name, onProgress);
  await remove();
  const snapshot = await createSnapshot(session, ref, { name, description, quiesce: false }, onProgress);
  await remove();
  return snapshot.disks;
}

async function readLiveDisks(session: VimSession, ref: MoRef): Promise<readonly SnapshotDisk[]> {
  const properties = await retrieve(session, ref, ['config.hardware.device']);
  return readDisks(properties['config.hardware.device']);
}

function isAnyDiskTracked(disks: readonly SnapshotDisk[]): boolean {
  return disks.some(({ changeId }) => changeId !== null);
}

const TRACKABLE: readonly string[] = ['flat', 'seSparse', 'sparse', 'rdmVirtual'];

function isEveryDiskTracked(machine: DiscoveredMachine, disks: readonly SnapshotDisk[]): boolean {
  return machine.disks
    .filter(
      (disk) => TRACKABLE.includes(disk.backing) && !disk.shared && !disk.diskMode.startsWith('independent'),
    )
    .every((disk) => disks.some((seen) => seen.deviceKey === disk.deviceKey && seen.changeId !== null));
}

function refuseForeignSnapshots(machine: DiscoveredMachine): void {
  const prefix = itemSnapshotPrefix(machine.id);
  const foreign = machine.snapshotNames.filter((name) => !name.startsWith(prefix));
  if (foreign.length === 0) return;
  throw new DrError('DR_MACHINE_FOREIGN_SNAPSHOT', { machine: machine.name, snapshots: foreign.join(', ') });
}

function untracked(machine: DiscoveredMachine): DrError {
  return new DrError('DR_MACHINE_NO_CHANGE_TRACKING', { machine: machine.name });
}
