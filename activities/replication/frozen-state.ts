/** A state of all disks of a stream that does not change while it is read, and how it becomes a barrier. */
import type { DiskId, ProtectedItemId } from '../../domain/ids.ts';
import type { Priority } from '../../domain/machine.ts';
import type { DiskSource, VaultKey, VaultStorage } from '../../domain/ports.ts';
import {
  CHAIN_START,
  type Barrier,
  type Consistency,
  type Extent,
  type ReplicationProgress,
} from '../../domain/replication.ts';
import type { Egress, Traffic } from '../../dataplane/egress/egress.ts';
import { tailsAfter } from '../../dataplane/journal/barriers.ts';
import { openItemKey } from '../../dataplane/keys.ts';
import { shipBarrier } from '../../dataplane/ship/ship-barrier.ts';
import type { CachePolicy, ShipDisk } from '../../dataplane/ship/ship-request.ts';

export interface StreamPorts {
  readonly storage: VaultStorage;
  readonly vaultKey: VaultKey;
  readonly cache: CachePolicy;
  /** Absent: nothing else leaves this process, at any speed. */
  readonly egress?: Egress;
}

/** One disk of the state. */
export interface FrozenDisk {
  readonly diskId: DiskId;
  readonly capacityBytes: number;
  /** What the barrier records for the next delta to ask from; null: it must read everything. */
  readonly changeId: string | null;
  /** `close` of what it answers releases all that was opened for it. */
  open(signal: AbortSignal): Promise<DiskSource>;
}

/** One snapshot of a VMware machine, or one snapshot of each of an Azure machine's disks. */
export interface FrozenState {
  readonly name: string;
  /** ISO 8601 UTC, by the clock of the side it is on. */
  readonly takenAt: string;
  readonly consistency: Consistency;
  readonly disks: readonly FrozenDisk[];
}

export interface CycleHooks {
  readonly signal: AbortSignal;
  readonly onProgress: (progress: ReplicationProgress) => void;
  /** Called while others work, so that the activity stays alive. */
  readonly beat: () => void;
}

export type CopiedBytes = Pick<ReplicationProgress, 'doneBytes' | 'readBytes' | 'wireBytes'>;

export const NOTHING_COPIED: CopiedBytes = { doneBytes: 0, readBytes: 0, wireBytes: 0 };

/** `doneBytes`: bytes of source that the barrier dealt with. */
export function copiedAfter(before: CopiedBytes, barrier: Barrier, doneBytes: number): CopiedBytes {
  const wireBytes = barrier.disks.flatMap((disk) => disk.segments).map((segment) => segment.wireBytes);
  return {
    doneBytes: before.doneBytes + doneBytes,
    readBytes: before.readBytes + sumOf(barrier.disks.map((disk) => disk.readBytes)),
    wireBytes: before.wireBytes + sumOf(wireBytes),
  };
}

export function sumOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}

export interface ReadPlan {
  readonly kind: Barrier['kind'];
  readonly cycle: Barrier['cycle'];
  readonly phase: ReplicationProgress['phase'];
  readonly totalBytes: number;
  /** What earlier barriers of the same copy have done; progress counts on from there. */
  readonly before: CopiedBytes;
  readonly startedAt: string;
  readonly resumeOffsets?: Barrier['resumeOffsets'];
  /** Sorted, inside the disk. */
  extentsOf(disk: FrozenDisk): readonly Extent[];
  /** The replica is known to be empty in these extents: zeros need no record. */
  readonly skipZeros: boolean;
  /** As in `ShipDisk`. */
  readonly gapBytes?: number;
  /** As in `ShipRequest`. */
  readonly isResumable?: boolean;
  readonly traffic?: Traffic;
  readonly priority?: Priority;
}

export interface FrozenRead {
  readonly stream: ProtectedItemId;
  /** The barrier before this one. */
  readonly previous: Barrier | null;
  readonly frozen: FrozenState;
  readonly number: number;
  readonly epoch: number;
  readonly plan: ReadPlan;
}

/** Reads what the plan names from the frozen state and makes barrier `number` of it. */
export async function shipFrozen(
  ports: StreamPorts,
  request: FrozenRead,
  hooks: CycleHooks,
): Promise<Barrier> {
  const { stream, previous, frozen, plan } = request;
  const key = await openItemKey(ports.storage, ports.vaultKey, stream);
  const tails = tailsAfter(
    previous,
    frozen.disks.map((disk) => disk.diskId),
  );
  const opened: DiskSource[] = [];
  try {
    const disks: ShipDisk[] = [];
    for (const disk of frozen.disks) {
      const source = await disk.open(hooks.signal);
      opened.push(source);
      disks.push({
        diskId: disk.diskId,
        capacityBytes: disk.capacityBytes,
        source,
        extents: plan.extentsOf(disk),
        skipZeros: plan.skipZeros,
        ...(plan.gapBytes === undefined ? {} : { gapBytes: plan.gapBytes }),
        tail: tails.get(disk.diskId) ?? CHAIN_START,
        changeId: disk.changeId,
      });
    }
    const { barrier } = await shipBarrier({
      item: stream,
      epoch: request.epoch,
      barrierNumber: request.number,
      kind: plan.kind,
      cycle: plan.cycle,
      phase: plan.phase,
      consistency: frozen.consistency,
      sourceTime: frozen.takenAt,
      snapshotName: frozen.name,
      ...(plan.resumeOffsets === undefined ? {} : { resumeOffsets: plan.resumeOffsets }),
      disks,
      key,
      storage: ports.storage,
      cache: ports.cache,
      ...(ports.egress === undefined ? {} : { egress: ports.egress }),
      ...(plan.isResumable === undefined ? {} : { isResumable: plan.isResumable }),
      ...(plan.traffic === undefined ? {} : { traffic: plan.traffic }),
      ...(plan.priority === undefined ? {} : { priority: plan.priority }),
      signal: hooks.signal,
      totalBytesHint: plan.totalBytes,
      onProgress: (progress) =>
        hooks.onProgress({
          ...progress,
          startedAt: plan.startedAt,
          totalBytes: plan.totalBytes,
          doneBytes: plan.before.doneBytes + progress.doneBytes,
          readBytes: plan.before.readBytes + progress.readBytes,
          wireBytes: plan.before.wireBytes + progress.wireBytes,
        }),
    });
    return barrier;
  } finally {
    for (const source of opened.reverse()) await source.close().catch(() => undefined);
  }
}
