/** What one call of `shipBarrier` is asked to do. */
import type { DiskId, ProtectedItemId } from '../../domain/ids.ts';
import type { Priority } from '../../domain/machine.ts';
import type { DiskSource, VaultStorage } from '../../domain/ports.ts';
import type { Barrier, ChainTail, Extent, ReplicationProgress } from '../../domain/replication.ts';
import type { Egress, Traffic } from '../egress/egress.ts';
import type { ItemKey } from '../keys.ts';
import type { CacheLevel } from './cache-level.ts';

/** Bounds of the folder in which segments wait for their upload. */
export interface CachePolicy {
  readonly folder: string;
  /** The volume is never filled beyond this; below it shipping stops with DR_CACHE_DISK_FULL. */
  readonly freeBytesMin: number;
  /** Bytes that may wait for upload: of all items that share `level`, of one shipment without. */
  readonly bytesMax: number;
  readonly level?: CacheLevel;
}

export interface ShipDisk {
  readonly diskId: DiskId;
  /** Of the protected disk. A source of another size is another disk. */
  readonly capacityBytes: number;
  readonly source: DiskSource;
  /** Sorted by offset and not overlapping. */
  readonly extents: readonly Extent[] | AsyncIterable<Extent>;
  /** End of the disk's chain: `tailsAfter(previous barrier, disks)`. */
  readonly tail: ChainTail;
  readonly changeId: string | null;
  /** The replica is known to be empty in these extents: zero runs need no record. */
  readonly skipZeros: boolean;
  /** Unchanged bytes at most between two extents that are read as one; what is sent is exactly the extents. Default: 64 KiB; 0 reads nothing else. */
  readonly gapBytes?: number;
}

export interface ShipRequest {
  readonly item: ProtectedItemId;
  /** Fencing epoch of this attempt; never used by another one. */
  readonly epoch: number;
  readonly barrierNumber: number;
  readonly kind: Barrier['kind'];
  readonly cycle: Barrier['cycle'];
  readonly consistency: Barrier['consistency'];
  readonly sourceTime: string;
  readonly snapshotName: string;
  readonly resumeOffsets?: Readonly<Record<DiskId, number>>;
  readonly disks: readonly ShipDisk[];
  readonly key: ItemKey;
  readonly storage: VaultStorage;
  readonly cache: CachePolicy;
  /** Shared by all that leaves this process; absent: one of its own. */
  readonly egress?: Egress;
  /** Default: by `phase`, first copies are bulk. */
  readonly traffic?: Traffic;
  /** Default: normal. */
  readonly priority?: Priority;
  readonly signal: AbortSignal;
  /** Called for every piece read and every segment sent; must return at once. */
  onProgress(progress: ReplicationProgress): void;
  readonly phase: ReplicationProgress['phase'];
  readonly totalBytesHint?: number;
  /**
   * The frozen state outlives this attempt: another one that asks for the same goes on from the segments this one leaves.
   * `sourceTime` and `snapshotName` have to tell the state from any other. Needs extents as arrays.
   */
  readonly isResumable?: boolean;
}

export interface ShipResult {
  readonly barrier: Barrier;
  /** Another attempt made this barrier; `barrier` is its record. */
  readonly adopted: boolean;
}
