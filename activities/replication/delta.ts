/** One delta: what changed since the last recovery point's barrier, or everything where change tracking cannot say. */
import { DrError } from '../../domain/errors.ts';
import { coalesceExtents } from '../../domain/extents.ts';
import type { DiskId } from '../../domain/ids.ts';
import type { ItemSpec } from '../../domain/machine.ts';
import { finalSnapshotName, snapshotName } from '../../domain/names.ts';
import type { MachineSnapshot, SnapshotDisk, VCenterSession } from '../../domain/ports.ts';
import type { Barrier, BarrierDisk, Extent } from '../../domain/replication.ts';
import type { CycleHooks } from './frozen-state.ts';
import {
  andDropSnapshot,
  frozenDisk,
  frozenMachine,
  openCycle,
  takeSnapshot,
  type MovePorts,
} from './read-cycle.ts';
import { sampleForScrub } from './scrub.ts';
import { requirePoint, shipInWindows, untilOwn, type ExtentsByDisk } from './windows.ts';

export interface DeltaRequest {
  readonly item: ItemSpec;
  readonly epoch: number;
  /** As in `WindowedRead`. */
  readonly windowBytes?: number;
  /** Asks for an application-consistent state. */
  readonly quiesce?: boolean;
}

/** A cycle of a session; a barrier that another attempt made first is as good. */
export async function runDelta(ports: MovePorts, request: DeltaRequest, hooks: CycleHooks): Promise<Barrier> {
  return runCycle(ports, request, 'delta', hooks);
}

/** The last delta of a failover, after the source was shut down: only a snapshot and a barrier of this very attempt count. */
export async function runFinalDelta(
  ports: MovePorts,
  request: DeltaRequest,
  hooks: CycleHooks,
): Promise<Barrier> {
  return untilOwn(request.epoch, () => runCycle(ports, request, 'final', hooks));
}

async function runCycle(
  ports: MovePorts,
  { item, epoch, windowBytes, quiesce = false }: DeltaRequest,
  phase: 'delta' | 'final',
  hooks: CycleHooks,
): Promise<Barrier> {
  ports.egress?.requireOpen(phase);
  ports.cache.level?.requireRoom(phase);
  const cycle = await openCycle(ports, item);
  const { session, previous } = cycle;
  const base = await requirePoint(ports.storage, item.itemId, previous);
  const first = (previous?.number ?? 0) + 1;
  const name = phase === 'final' ? finalSnapshotName(item.itemId, first) : snapshotName(item.itemId, first);
  const snapshot = await takeSnapshot(cycle, item, { name, mayResume: false, quiesce }, hooks);
  return andDropSnapshot(cycle, item, snapshot, hooks, async () => {
    const changed = await changedExtents(session, item, snapshot, base);
    const frozen = await frozenMachine(ports, cycle, item, snapshot);
    const window = {
      ...(windowBytes === undefined ? {} : { windowBytes }),
      ...(item.priority === undefined ? {} : { priority: item.priority }),
    };
    const pass = { stream: item.itemId, previous, frozen, epoch, changed, cycle: 'delta', phase } as const;
    const barrier = await shipInWindows(ports, { ...pass, ...window }, hooks);
    if (phase === 'delta') await sampleForScrub(ports, { item, epoch, frozen, barrier, base }, hooks);
    return barrier;
  });
}

async function changedExtents(
  session: VCenterSession,
  item: ItemSpec,
  snapshot: MachineSnapshot,
  base: Barrier,
): Promise<ExtentsByDisk> {
  const extents = new Map<DiskId, readonly Extent[]>();
  for (const disk of item.disks) {
    extents.set(disk.diskId, await changedSince(session, item, { snapshot, disk, base }));
  }
  return extents;
}

/** What a barrier says of a disk. */
export type KnownDisk = Pick<BarrierDisk, 'diskId' | 'capacityBytes' | 'changeId'>;

/** What of the snapshot's disk has changed since barrier `base` was read; the whole disk where that cannot be told. */
export async function changedSince(
  session: VCenterSession,
  item: ItemSpec,
  {
    snapshot,
    disk: { diskId },
    base,
  }: {
    readonly snapshot: MachineSnapshot;
    readonly disk: { readonly diskId: DiskId };
    readonly base: { readonly disks: readonly KnownDisk[] };
  },
): Promise<readonly Extent[]> {
  const disk = item.disks.find((each) => each.diskId === diskId);
  if (disk === undefined) throw new DrError('DR_INTERNAL', { reason: `disk ${diskId} is not protected` });
  const frozen = frozenDisk(item, disk, snapshot);
  const known = base.disks.find((each) => each.diskId === diskId);
  return changedOrAll(session, item, snapshot, frozen, known);
}

/** Changed areas; the whole disk when tracking restarted, because a delta then would lose writes silently. */
async function changedOrAll(
  session: VCenterSession,
  item: ItemSpec,
  snapshot: MachineSnapshot,
  frozen: SnapshotDisk,
  known: KnownDisk | undefined,
): Promise<readonly Extent[]> {
  const whole = { offset: 0, length: frozen.capacityBytes };
  const changeId = known?.changeId ?? null;
  if (known === undefined || changeId === null || frozen.changeId === null) return [whole];
  const query = { snapshot, deviceKey: frozen.deviceKey, changeId };
  try {
    const areas = await Array.fromAsync(session.changedAreas(item.machineId, query));
    const grownBytes = frozen.capacityBytes - known.capacityBytes;
    if (grownBytes === 0) return areas;
    return coalesceExtents([...areas, { offset: known.capacityBytes, length: grownBytes }], 0);
  } catch (error) {
    if (error instanceof DrError && error.code === 'DR_REPLICATION_CBT_RESET') return [whole];
    throw error;
  }
}
