/**
 * Shapes of the extent stream that several rooms share: extents, barriers, recovery points, progress.
 * All of them are plain JSON: they travel as activity payloads and lie in the storage account.
 */
import type { DiskId, ProtectedItemId, RecoveryPointId } from './ids.ts';

/** A run of bytes of a disk; both fields are multiples of 512. */
export interface Extent {
  readonly offset: number;
  readonly length: number;
}

/**
 * Fencing epoch: a number that only ever grows, one for each attempt that may write.
 * The session epoch comes from the entity workflow, the attempt from Temporal; 2^20 attempts fit a session.
 * It names the journal folder an attempt writes to and is the replica blob's sequence number, so that an
 * older attempt that still runs cannot write (see ARCHITECTURE.md, "One writer per disk").
 */
export function fencingEpoch(sessionEpoch: number, attempt: number): number {
  return sessionEpoch * 2 ** 20 + attempt;
}

/** The session epoch that a fencing epoch was made from. */
export function sessionEpochOf(epoch: number): number {
  return Math.floor(epoch / 2 ** 20);
}

/** Where a disk's chain of segments ends. The first segment of a stream follows `{ nextSeq: 1, hash: 64 zeros }`. */
export interface ChainTail {
  readonly nextSeq: number;
  /** SHA-256 of the previous segment's bytes, hexadecimal. */
  readonly hash: string;
}

export const CHAIN_START: ChainTail = { nextSeq: 1, hash: '0'.repeat(64) };

export interface SegmentRef {
  readonly blob: string;
  readonly firstSeq: number;
  readonly lastSeq: number;
  readonly rawBytes: number;
  readonly wireBytes: number;
  /** SHA-256 of the whole blob, hexadecimal. */
  readonly sha256: string;
}

export interface BarrierDisk {
  readonly diskId: DiskId;
  readonly capacityBytes: number;
  /** In chain order; empty when nothing changed. */
  readonly segments: readonly SegmentRef[];
  /** Chain tail after this barrier. */
  readonly tail: ChainTail;
  /** vSphere changeId of the snapshot this barrier was read from; the next delta asks for changes since it. Null: change tracking gave none, the next cycle reads everything. */
  readonly changeId: string | null;
  /** Bytes of the source disk that were read for this barrier. */
  readonly readBytes: number;
}

export type Consistency = 'crash' | 'application';

/**
 * A barrier closes a batch: it is the write-once record (If-None-Match: *) that makes segments part of the stream.
 * `progress` barriers make a long initial replication resumable; `point` barriers become recovery points when applied.
 */
export interface Barrier {
  readonly version: 1;
  readonly itemId: ProtectedItemId;
  readonly number: number;
  readonly kind: 'progress' | 'point';
  /** Which cycle made it: a full read, or changes since the previous barrier. */
  readonly cycle: 'initial' | 'delta';
  readonly epoch: number;
  readonly consistency: Consistency;
  /** ISO 8601 UTC, when the source snapshot was taken, by the source's clock. */
  readonly sourceTime: string;
  readonly snapshotName: string;
  /** ISO 8601 UTC, when the last segment was durable: the RPO clock stops here. */
  readonly durableTime: string;
  readonly disks: readonly BarrierDisk[];
  /** Only in `progress` barriers: per disk, source bytes up to this offset are in the stream. */
  readonly resumeOffsets?: Readonly<Record<DiskId, number>>;
}

export interface PointDisk {
  readonly diskId: DiskId;
  readonly replicaBlob: string;
  /** Azure snapshot id (a timestamp) of the replica blob. */
  readonly snapshotId: string;
  readonly capacityBytes: number;
  /** Chain tail the snapshot holds. */
  readonly tail: ChainTail;
}

/** `points/<item>/<sourceTime>-<point>.json`. A recovery point exists exactly when this blob exists. */
export interface RecoveryPoint {
  readonly version: 1;
  readonly pointId: RecoveryPointId;
  readonly itemId: ProtectedItemId;
  readonly barrierNumber: number;
  readonly consistency: Consistency;
  readonly sourceTime: string;
  readonly durableTime: string;
  /** ISO 8601 UTC, when the snapshots were made. */
  readonly processedTime: string;
  readonly snapshotName: string;
  readonly disks: readonly PointDisk[];
}

/** Raw facts of a running copy; viewers compute rate, percent and time left. */
export interface ReplicationProgress {
  readonly phase: 'initial' | 'delta' | 'final' | 'verify';
  readonly barrierNumber: number;
  readonly startedAt: string;
  readonly at: string;
  /** Bytes of source that will be looked at; 0 while unknown. */
  readonly totalBytes: number;
  /** Bytes of source dealt with so far: read, skipped as hole, or found zero. */
  readonly doneBytes: number;
  readonly readBytes: number;
  /** Bytes sent to the storage account. */
  readonly wireBytes: number;
}

/** What finished cycles add up to; carried in heartbeat details and shown by the API. */
export interface ReplicationTotals {
  readonly cycles: number;
  readonly readBytes: number;
  readonly rawBytes: number;
  readonly wireBytes: number;
}

export type RecoveryPointChoice =
  | { readonly kind: 'latest' | 'latestProcessed' | 'latestAppConsistent' }
  | { readonly kind: 'custom'; readonly pointId: RecoveryPointId };
