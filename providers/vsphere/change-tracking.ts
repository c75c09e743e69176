/** Turns changed-block tracking on, and proves that it counts. */
import { DrError } from '../../domain/errors.ts';
import type { DiscoveredMachine } from '../../domain/machine.ts';
import type { OnProgress } from '../../domain/ports.ts';
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
  if (machine.changeTrackingEnabled && (await isCounting(session, ref, machine))) return;
  if (!machine.changeTrackingEnabled) {
    refuseForeignSnapshots(machine);
    const prefix = itemSnapshotPrefix(machine.id);
    await removeSnapshots(session, ref, (name) => name.startsWith(prefix), onProgress);
    await runTask(session, requests.enableChangeTracking(ref), onProgress);
  }
  for (let probe = 1; probe <= PROBES_MAX; probe += 1) {
    if (await probeTracking(session, ref, machine, onProgress)) return;
  }
  throw untracked(machine);
}

async function probeTracking(
  session: VimSession,
  ref: MoRef,
  machine: DiscoveredMachine,
  onProgress: OnProgress,
): Promise<boolean> {
  const name = `${itemSnapshotPrefix(machine.id)}tracking`;
  const description = 'Makes changed-block tracking take effect; removed at once';
  const snapshot = await createSnapshot(session, ref, { name, description, quiesce: false }, onProgress);
  await removeSnapshots(session, ref, (candidate) => candidate === name, onProgress);
  return isEveryDiskTracked(machine, snapshot.disks);
}

async function isCounting(session: VimSession, ref: MoRef, machine: DiscoveredMachine): Promise<boolean> {
  const properties = await retrieve(session, ref, ['config.hardware.device']);
  return isEveryDiskTracked(machine, readDisks(properties['config.hardware.device']));
}

const TRACKABLE: readonly string[] = ['flat', 'seSparse', 'sparse', 'rdmVirtual'];

function isEveryDiskTracked(
  machine: DiscoveredMachine,
  disks: readonly { readonly deviceKey: number; readonly changeId: string | null }[],
): boolean {
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
