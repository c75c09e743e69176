/**
 * Initial replication: the first segment chain of every disk, from one snapshot, in windows.
 * Each window ends in a `progress` barrier that says how far each disk has come; a killed attempt goes on from
 * the last one as long as the snapshot still exists, otherwise it starts over from a new snapshot.
 * The last window ends in a `point` barrier: the first recovery point.
 */
import { snapshotName } from '../../domain/names.ts';
import type { DiskId } from '../../domain/ids.ts';
import type { ItemSpec, ProtectedDisk } from '../../domain/machine.ts';
import type { MachineSnapshot, SnapshotDisk } from '../../domain/ports.ts';
import type { Barrier, Extent } from '../../domain/replication.ts';
import { MiB } from '../../domain/units.ts';
import {
  NOTHING_COPIED,
  copiedAfter,
  shipFrozen,
  sumOf,
  type CopiedBytes,
  type CycleHooks,
} from './frozen-state.ts';
import {
  dropSnapshot,
  frozenDisk,
  frozenMachine,
  openCycle,
  takeSnapshot,
  type Cycle,
  type MovePorts,
} from './read-cycle.ts';
import type { Offsets } from './windows.ts';

/** Source bytes of each disk that one progress barrier covers. */
const WINDOW_BYTES = 256 * MiB;

interface CopyState {
  readonly snapshot: MachineSnapshot;
  readonly offsets: Offsets;
  /** The replica holds nothing this copy did not put there, so zeros need not be sent. */
  readonly replicaIsEmpty: boolean;
}

/** Runs to the end of the copy and returns its point barrier; done at once when it exists already. */
export async function runInitialCopy(
  ports: MovePorts,
  request: { item: ItemSpec; epoch: number },
  hooks: CycleHooks,
  onBarrier: (barrier: Barrier) => void,
): Promise<Barrier> {
  const { item } = request;
  let cycle = await openCycle(ports, item);
  if (cycle.previous?.kind === 'point') return finish(cycle, item, cycle.previous, hooks);
  const state = await resumeOrStart(cycle, item, hooks);
  const areas = await writtenAreas(cycle, item, state);
  const frozen = await frozenMachine(ports, cycle, item, state.snapshot);
  const startedAt = new Date().toISOString();
  const totalBytes = sumOf(item.disks.map((disk) => disk.capacityBytes));
  let offsets = state.offsets;
  let copied: CopiedBytes = { ...NOTHING_COPIED, doneBytes: sumOf(Object.values(offsets)) };
  for (;;) {
    const next = advance(item, offsets);
    const isLast = item.disks.every((disk) => next[disk.diskId] === disk.capacityBytes);
    const from = offsets;
    const barrier = await shipFrozen(
      ports,
      {
        stream: item.itemId,
        previous: cycle.previous,
        frozen,
        number: (cycle.previous?.number ?? 0) + 1,
        epoch: request.epoch,
        plan: {
          kind: isLast ? 'point' : 'progress',
          cycle: 'initial',
          phase: 'initial',
          totalBytes,
          before: copied,
          startedAt,
          ...(isLast ? {} : { resumeOffsets: next }),
          skipZeros: state.replicaIsEmpty,
          isResumable: true,
          ...(item.priority === undefined ? {} : { priority: item.priority }),
          extentsOf: ({ diskId }) => clip(areas.get(diskId) ?? [], from[diskId] ?? 0, next[diskId] ?? 0),
        },
      },
      hooks,
    );
    onBarrier(barrier);
    // An older attempt was first, from a snapshot of its own: start over with what there is now.
    if (barrier.sourceTime !== state.snapshot.createdAt)
      return runInitialCopy(ports, request, hooks, onBarrier);
    if (barrier.kind === 'point') return finish(cycle, item, barrier, hooks);
    offsets = barrier.resumeOffsets ?? next;
    const doneBytes = sumOf(Object.values(offsets));
    copied = copiedAfter(copied, barrier, doneBytes - copied.doneBytes);
    cycle = { ...cycle, previous: barrier };
  }
}

async function finish(cycle: Cycle, item: ItemSpec, barrier: Barrier, hooks: CycleHooks): Promise<Barrier> {
  await dropSnapshot(cycle, item, barrier.snapshotName, hooks);
  return barrier;
}

async function resumeOrStart(cycle: Cycle, item: ItemSpec, hooks: CycleHooks): Promise<CopyState> {
  const { previous, session } = cycle;
  const zero = Object.fromEntries(item.disks.map((disk) => [disk.diskId, 0])) as Offsets;
  if (previous?.resumeOffsets !== undefined) {
    const snapshot = await session.findSnapshot(item.machineId, previous.snapshotName);
    // Only while every barrier came from the first snapshot does the replica hold nothing else.
    const replicaIsEmpty = previous.snapshotName === snapshotName(item.itemId, 1);
    // The name alone does not tell a snapshot that was deleted and made again.
    const isTheSame = snapshot?.createdAt === previous.sourceTime;
    if (snapshot !== null && isTheSame) return { snapshot, offsets: previous.resumeOffsets, replicaIsEmpty };
  }
  const name = snapshotName(item.itemId, (previous?.number ?? 0) + 1);
  const snapshot = await takeSnapshot(cycle, item, { name, mayResume: true }, hooks);
  return { snapshot, offsets: zero, replicaIsEmpty: previous === null };
}

/** Areas ever written where change tracking knows them and the replica is empty; the whole disk otherwise. */
async function writtenAreas(cycle: Cycle, item: ItemSpec, state: CopyState) {
  const areas = new Map<DiskId, readonly Extent[]>();
  for (const disk of item.disks) {
    areas.set(disk.diskId, await areasOf(cycle, item, state, disk, frozenDisk(item, disk, state.snapshot)));
  }
  return areas;
}

async function areasOf(
  cycle: Cycle,
  item: ItemSpec,
  state: CopyState,
  disk: ProtectedDisk,
  frozen: SnapshotDisk,
): Promise<readonly Extent[]> {
  const whole = [{ offset: 0, length: disk.capacityBytes }];
  if (frozen.changeId === null || !state.replicaIsEmpty) return whole;
  const query = { snapshot: state.snapshot, deviceKey: disk.deviceKey, changeId: '*' };
  // On NFS, vSAN and vVol datastores vCenter may refuse `*` (Broadcom KB 320557): then read all and skip zeros.
  return Array.fromAsync(cycle.session.changedAreas(item.machineId, query)).catch(() => whole);
}

function advance(item: ItemSpec, offsets: Offsets): Offsets {
  return Object.fromEntries(
    item.disks.map((disk) => [
      disk.diskId,
      Math.min((offsets[disk.diskId] ?? 0) + WINDOW_BYTES, disk.capacityBytes),
    ]),
  ) as Offsets;
}

function clip(extents: readonly Extent[], from: number, to: number): Extent[] {
  return extents
    .map((extent) => ({
      offset: Math.max(extent.offset, from),
      end: Math.min(extent.offset + extent.length, to),
    }))
    .filter((extent) => extent.end > extent.offset)
    .map((extent) => ({ offset: extent.offset, length: extent.end - extent.offset }));
}
