/** What one call of `applyPending` is asked to do. */
import type { DiskId, ProtectedItemId } from '../../domain/ids.ts';
import type { VaultStorage } from '../../domain/ports.ts';
import type { RecoveryPoint } from '../../domain/replication.ts';
import type { ApplyLag, ApplyProgress } from '../journal/pending.ts';
import type { ItemKey } from '../keys.ts';

export interface ApplyDisk {
  readonly diskId: DiskId;
  /** Of a replica that is still to be made. One that exists has the size of the last barrier it holds. */
  readonly capacityBytes: number;
  /** Barriers before this one do not know the disk, and points before it do not list it. Absent: it was there from the start. */
  readonly joinedAtBarrier?: number;
}

export interface ApplyRequest {
  readonly item: ProtectedItemId;
  readonly disks: readonly ApplyDisk[];
  /** Fencing epoch of this attempt; older ones can write no page any more. */
  readonly epoch: number;
  readonly key: ItemKey;
  readonly storage: VaultStorage;
  readonly signal: AbortSignal;
  /** Applies nothing behind this barrier. */
  readonly upToBarrier?: number;
  /** Barriers applied at most in this call. */
  readonly barriersMax?: number;
  onProgress(progress: ApplyProgress): void;
}

export interface ApplyResult {
  readonly appliedBarrier: number;
  /** Recovery points that came into being, oldest first. */
  readonly points: RecoveryPoint[];
  /** There are durable barriers behind `appliedBarrier`. */
  readonly moreWaiting: boolean;
  readonly lag: ApplyLag;
}
