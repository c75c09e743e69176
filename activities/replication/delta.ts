/**
 * One delta: what changed since the last recovery point's barrier, or everything where change tracking cannot say.
 *
 * A long delta goes in windows: all but the last end in a `progress` barrier, so that no barrier grows without bound
 * and the applier works beside it. An interrupted delta starts over from the last `point` barrier; what its windows
 * shipped is older than what the next attempt ships, so the chain stays right.
 */
import { DrError } from '../../domain/errors.ts';
import type { DiskId } from '../../domain/ids.ts';
import type { ItemSpec } from '../../domain/machine.ts';
import { finalSnapshotName, snapshotName } from '../../domain/names.ts';
import type { MachineSnapshot, SnapshotDisk, VaultStorage, VCenterSession } from '../../domain/ports.ts';
import type { Barrier, Extent } from '../../domain/replication.ts';
import { MiB } from '../../domain/units.ts';
import { readBarrier } from '../../dataplane/journal/barriers.ts';
import {
  NOTHING_COPIED,
  copiedAfter,
  dropSnapshot,
  frozenDisk,
  openCycle,
  shipFromSnapshot,
  takeSnapshot,
  type CycleHooks,
  type MovePorts,
} from './read-cycle.ts';

/** Default of `DeltaRequest.windowBytes`. */
const WINDOW_BYTES = 2_048 * MiB;
/** Losing a barrier to another attempt happens at most once per such attempt. */
const FINAL_TRIES_MAX = 4;

export interface DeltaRequest {
  readonly item: ItemSpec;
  readonly epoch: number;
  /** Changed bytes of each disk that one barrier covers; a multiple of 512. Absent: 2 GiB. */
  readonly windowBytes?: number;
}

/** A cycle of a session; a barrier that another attempt made first is as good. */
export async function runDelta(ports: MovePorts, request: DeltaRequest, hooks: CycleHooks): Promise<Barrier> {
  return runCycle(ports, request, 'delta', hooks);
}

/**
 * The last delta of a failover, after the source was shut down. Only a snapshot and a barrier of this very attempt
 * count: what an older one made, of an earlier failover too, may hold the source as it was before.
 */
export async function runFinalDelta(
  ports: MovePorts,
  request: DeltaRequest,
  hooks: CycleHooks,
): Promise<Barrier> {
  for (let tries = 1; tries <= FINAL_TRIES_MAX; tries += 1) {
    const barrier = await runCycle(ports, request, 'final', hooks);
    if (barrier.epoch === request.epoch) return barrier;
  }
  throw new DrError('DR_INTERNAL', { reason: 'other attempts keep writing barriers' });
}

async function runCycle(
  ports: MovePorts,
  { item, epoch, windowBytes = WINDOW_BYTES }: DeltaRequest,
  phase: 'delta' | 'final',
  hooks: CycleHooks,
): Promise<Barrier> {
  let cycle = await openCycle(ports, item);
  const base = await lastPoint(ports.storage, item, cycle.previous);
  const first = (cycle.previous?.number ?? 0) + 1;
  const name = phase === 'final' ? finalSnapshotName(item.itemId, first) : snapshotName(item.itemId, first);
  const snapshot = await takeSnapshot(cycle, item, { name, mayResume: false }, hooks);
  const changed = await changedExtents(cycle.session, item, snapshot, base);
  const windows = inWindows(changed, windowBytes);
  const startedAt = new Date().toISOString();
  const totalBytes = [...changed.values()].flat().reduce((sum, extent) => sum + extent.length, 0);
  let copied = NOTHING_COPIED;
  for (const [index, extents] of windows.entries()) {
    hooks.signal.throwIfAborted();
    const kind = index === windows.length - 1 ? 'point' : 'progress';
    const barrier = await shipFromSnapshot(
      ports,
      {
        cycle,
        item,
        snapshot,
        number: first + index,
        epoch,
        plan: {
          kind,
          cycle: 'delta',
          phase,
          totalBytes,
          before: copied,
          startedAt,
          extentsOf: async (disk) => ({ extents: extents.get(disk.diskId) ?? [], skipZeros: false }),
        },
      },
      hooks,
    );
    // Another attempt has gone on from here: its barrier is the stream now.
    if (barrier.epoch !== epoch || barrier.kind === 'point') {
      await dropSnapshot(cycle, item, name, hooks);
      return barrier;
    }
    copied = copiedAfter(copied, barrier, sizeOf(extents));
    cycle = { ...cycle, previous: barrier };
  }
  throw new DrError('DR_INTERNAL', { reason: 'a delta without a last window' });
}

/** Progress barriers carry no complete state of the disks; changes are asked for since the last one that does. */
async function lastPoint(storage: VaultStorage, item: ItemSpec, newest: Barrier | null): Promise<Barrier> {
  let barrier = newest;
  while (barrier !== null && barrier.kind !== 'point') {
    barrier = await readBarrier(storage, item.itemId, barrier.number - 1);
  }
  if (barrier !== null) return barrier;
  throw new DrError('DR_JOURNAL_GAP', {
    item: item.itemId,
    reason: 'there is no recovery point to continue from',
  });
}

type ExtentsByDisk = ReadonlyMap<DiskId, readonly Extent[]>;

async function changedExtents(
  session: VCenterSession,
  item: ItemSpec,
  snapshot: MachineSnapshot,
  base: Barrier,
): Promise<ExtentsByDisk> {
  const extents = new Map<DiskId, readonly Extent[]>();
  for (const disk of item.disks) {
    const frozen = frozenDisk(item, disk, snapshot);
    const changeId = base.disks.find((each) => each.diskId === disk.diskId)?.changeId ?? null;
    extents.set(disk.diskId, await changedOrAll(session, item, snapshot, frozen, changeId));
  }
  return extents;
}

/** Changed areas; the whole disk when tracking restarted, because a delta then would lose writes silently. */
async function changedOrAll(
  session: VCenterSession,
  item: ItemSpec,
  snapshot: MachineSnapshot,
  frozen: SnapshotDisk,
  changeId: string | null,
): Promise<readonly Extent[]> {
  const whole = [{ offset: 0, length: frozen.capacityBytes }];
  if (changeId === null || frozen.changeId === null) return whole;
  try {
    const query = { snapshot, deviceKey: frozen.deviceKey, changeId };
    return await Array.fromAsync(session.changedAreas(item.machineId, query));
  } catch (error) {
    if (error instanceof DrError && error.code === 'DR_REPLICATION_CBT_RESET') return whole;
    throw error;
  }
}

/** Splits every disk's extents at `windowBytes`; always at least one window, which may be empty. */
function inWindows(changed: ExtentsByDisk, windowBytes: number): ExtentsByDisk[] {
  const perDisk = [...changed].map(([disk, extents]) => [disk, split(extents, windowBytes)] as const);
  const count = Math.max(1, ...perDisk.map(([, windows]) => windows.length));
  return Array.from(
    { length: count },
    (_, index) => new Map(perDisk.map(([disk, windows]) => [disk, windows[index] ?? []])),
  );
}

function split(extents: readonly Extent[], windowBytes: number): Extent[][] {
  const windows: Extent[][] = [];
  let room = 0;
  for (const extent of extents) {
    for (let done = 0; done < extent.length;) {
      if (room === 0) {
        windows.push([]);
        room = windowBytes;
      }
      const length = Math.min(room, extent.length - done);
      windows.at(-1)?.push({ offset: extent.offset + done, length });
      done += length;
      room -= length;
    }
  }
  return windows;
}

function sizeOf(extents: ExtentsByDisk): number {
  return [...extents.values()].flat().reduce((sum, extent) => sum + extent.length, 0);
}
