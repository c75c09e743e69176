/** Snapshots of one machine. A name is the key: whoever repeats a step finds the snapshot, or the task that makes it. */
import { SNAPSHOT_PREFIX } from '../../domain/names.ts';
import type { MachineId, ProtectedItemId } from '../../domain/ids.ts';
import type { MachineSnapshot, OnProgress } from '../../domain/ports.ts';
import { DrError } from '../../domain/errors.ts';
import { isFault, isQuiesceFailure, VimFault } from './faults.ts';
import { readDisks } from './machine.ts';
import { flattenSnapshots, type SnapshotNode } from './snapshot-tree.ts';
import { retrieve } from './properties.ts';
import { requests } from './requests.ts';
import type { VimSession } from './session.ts';
import { runTask, settleTasks } from './task.ts';
import type { MoRef } from './values.ts';

/** vCenter runs one snapshot task per machine; its own and foreign ones alike are waited for. */
const SNAPSHOT_TASK = /snapshot/i;
const ATTEMPTS_MAX = 3;

/** Snapshots of the item carry this prefix; its id begins with the machine's. */
export function itemSnapshotPrefix(item: ProtectedItemId | MachineId): string {
  return `${SNAPSHOT_PREFIX}${item.slice(0, 8)}-`;
}

export async function listSnapshots(session: VimSession, machine: MoRef): Promise<SnapshotNode[]> {
  const properties = await retrieve(session, machine, ['snapshot.rootSnapshotList']);
  return flattenSnapshots(properties['snapshot.rootSnapshotList']);
}

export async function findSnapshot(
  session: VimSession,
  machine: MoRef,
  name: string,
): Promise<MachineSnapshot | null> {
  const node = (await listSnapshots(session, machine)).find((candidate) => candidate.name === name);
  if (node === undefined) return null;
  const properties = await retrieve(session, node.snapshot, ['config.hardware.device']);
  return {
    name,
    moRef: node.snapshot.$value,
    createdAt: node.createTime,
    quiesced: node.quiesced,
    disks: readDisks(properties['config.hardware.device']),
  };
}

/**
 * A snapshot that cannot be quiesced is made all the same and says so: crash-consistent is better than none.
 *
 * What tells the two apart afterwards is vCenter's `quiesced`, which repeats what was asked for; a request to quiesce
 * a machine that is off, or whose VMware Tools do not run, is carried out without quiescing and without a fault
 * (`CreateSnapshot_Task`). So it is asked for only of a machine that is on and whose Tools run. Tools that stop
 * between the question and the snapshot stay undetected; the tree's `state` does not help: it is `poweredOff` for
 * every snapshot without memory.
 *
 * A machine that somebody reverted to a snapshot of his own meanwhile has disks that went back in time. ESXi mostly
 * starts tracking anew then; where it keeps the tracking's identifier, its counter goes back too, and changed areas
 * are refused (changed-areas.ts). A counter that has caught up by then hides the revert from every property of the
 * machine: the comparison of blocks at the next resync finds it.
 */
export async function createSnapshot(
  session: VimSession,
  machine: MoRef,
  wanted: { readonly name: string; readonly description: string; readonly quiesce: boolean },
  onProgress: OnProgress,
): Promise<MachineSnapshot> {
  let quiesce = wanted.quiesce && (await canQuiesce(session, machine));
  for (let attempt = 1; ; attempt += 1) {
    await settleTasks(session, machine, SNAPSHOT_TASK, onProgress);
    const existing = await findSnapshot(session, machine, wanted.name);
    if (existing !== null) return existing;
    if (attempt > ATTEMPTS_MAX) throw new VimFault('SnapshotFault', 'the snapshot did not appear');
    const request = requests.createSnapshot(machine, { ...wanted, quiesce });
    await runTask(session, request, onProgress).catch((error: unknown) => {
      if (quiesce && isQuiesceFailure(error)) quiesce = false;
      else if (!isFault(error, 'TaskInProgress')) throw error;
    });
  }
}

const TOOLS_PATHS = ['runtime.powerState', 'guest.toolsRunningStatus'];

async function canQuiesce(session: VimSession, machine: MoRef): Promise<boolean> {
  const properties = await retrieve(session, machine, TOOLS_PATHS);
  return (
    properties['runtime.powerState'] === 'poweredOn' &&
    properties['guest.toolsRunningStatus'] === 'guestToolsRunning'
  );
}

/**
 * The machine is off afterwards. Reverting again leads to the same disks.
 * @throws DR_VCENTER_PLACE_UNKNOWN when the machine has no such snapshot
 */
export async function revertToSnapshot(
  session: VimSession,
  machine: MoRef,
  name: string,
  onProgress: OnProgress,
): Promise<void> {
  await settleTasks(session, machine, SNAPSHOT_TASK, onProgress);
  const node = (await listSnapshots(session, machine)).find((candidate) => candidate.name === name);
  if (node === undefined || !name.startsWith(SNAPSHOT_PREFIX)) {
    throw new DrError('DR_VCENTER_PLACE_UNKNOWN', { kind: 'snapshot of Switchback named', name });
  }
  await runTask(session, requests.revertToSnapshot(node.snapshot), onProgress);
}

/** Removes the snapshots whose name is due, each on its own: children of others stay. */
export async function removeSnapshots(
  session: VimSession,
  machine: MoRef,
  isDue: (name: string) => boolean,
  onProgress: OnProgress,
): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    await settleTasks(session, machine, SNAPSHOT_TASK, onProgress);
    const due = (await listSnapshots(session, machine)).filter(({ name }) => isDue(name));
    if (due.length === 0) return;
    if (attempt > ATTEMPTS_MAX) {
      throw new VimFault('SnapshotFault', `still there: ${due.map(({ name }) => name).join(', ')}`);
    }
    for (const { snapshot } of due) await removeOne(session, snapshot, onProgress);
  }
}

async function removeOne(session: VimSession, snapshot: MoRef, onProgress: OnProgress): Promise<void> {
  try {
    await runTask(session, requests.removeSnapshot(snapshot), onProgress);
  } catch (error) {
    if (!isFault(error, 'ManagedObjectNotFound', 'TaskInProgress')) throw error;
  }
}
