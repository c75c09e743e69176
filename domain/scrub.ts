/** Scrub: blocks of the source compared with the recovery points, day after day. Plain JSON that several rooms share. */
import type { DiskId, ProtectedItemId, RecoveryPointId } from './ids.ts';
import type { Extent, RecoveryPoint } from './replication.ts';

/** What scrubbing an item has come to since it was protected. */
export interface ScrubTotals {
  /** Blocks compared. */
  readonly blocks: number;
  readonly bytes: number;
  readonly differingBlocks: number;
  /** ISO 8601 UTC of the last comparison; null: there was none. */
  readonly lastAt: string | null;
  readonly disks: readonly DiskScrub[];
}

/** A pass compares every block of the disk once, in random order; then the next begins in another order. */
export interface DiskScrub {
  readonly diskId: DiskId;
  readonly pass: number;
  /** Blocks of the pass that were compared, of `blocks`. */
  readonly comparedBlocks: number;
  readonly blocks: number;
}

export interface DifferingDisk {
  readonly diskId: DiskId;
  readonly differingBytes: number;
  /** The first of them. */
  readonly ranges: readonly Extent[];
}

/** A recovery point as it is listed. */
export interface ListedPoint extends RecoveryPoint {
  /** Absent: it is not known to differ from its source. */
  readonly differs?: readonly DifferingDisk[];
}

/** A recovery point that differs from the source it was made of. */
export interface ScrubFinding {
  readonly version: 1;
  readonly itemId: ProtectedItemId;
  readonly barrierNumber: number;
  readonly pointId: RecoveryPointId;
  readonly foundBy: 'scrub' | 'verify';
  /** ISO 8601 UTC. */
  readonly foundAt: string;
  readonly disks: readonly DifferingDisk[];
}
