/** Snapshots of one machine. A name is the key: whoever repeats a step finds the snapshot, or the task that makes it. */
import { SNAPSHOT_PREFIX } from '../../domain/names.ts';
import type { MachineId, ProtectedItemId } from '../../domain/ids.ts';
import type { MachineSnapshot, OnProgress } from '../../domain/ports.ts';
import { isFault, VimFault } from './faults.ts';
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

export async function createSnapshot(
  session: VimSession,
  machine: MoRef,
  wanted: { readonly name: string; readonly description: string; readonly quiesce: boolean },
  onProgress: OnProgress,
): Promise<MachineSnapshot> {
  for (let attempt = 1; ; attempt += 1) {
    await settleTasks(session, machine, SNAPSHOT_TASK, onProgress);
    const existing = await findSnapshot(session, machine, wanted.name);
    if (existing !== null) return existing;
    if (attempt > ATTEMPTS_MAX) throw new VimFault('SnapshotFault', 'the snapshot did not appear');
    await runTask(session, requests.createSnapshot(machine, wanted), onProgress).catch((error: unknown) => {
      if (!isFault(error, 'TaskInProgress')) throw error;
    });
  }
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
