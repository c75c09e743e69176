/** Verification on demand: what its activities are asked and answer. Plain JSON. */
import type { Condition } from '../../domain/health.ts';
import type { RecoveryPointId } from '../../domain/ids.ts';
import type { ItemSpec } from '../../domain/machine.ts';
import type { RecoveryPointChoice } from '../../domain/replication.ts';
import type { DifferingDisk } from '../../domain/scrub.ts';

/** A recovery point whose blocks are hashed. */
export interface HashedPoint {
  /** Of the hashes. */
  readonly epoch: number;
  readonly pointId: RecoveryPointId;
  readonly barrierNumber: number;
  readonly sourceTime: string;
  readonly isNewest: boolean;
}

export interface PointCompared {
  /** Blocks that must be equal: what has changed since the point is not among them. */
  readonly comparedBytes: number;
  readonly changedBytes: number;
  readonly differingBytes: number;
  /** The first ranges of each. */
  readonly disks: readonly DifferingDisk[];
  /** What health has to show; absent: everything compared is equal. */
  readonly condition?: Omit<Condition, 'since'>;
}

export interface VerifyActivities {
  /** Applies what still waits, chooses the point, hashes its snapshots (queue `urgent.azure.<region>`); replication must have stopped. */
  hashPoint(input: {
    readonly item: ItemSpec;
    readonly sessionEpoch: number;
    readonly choice: RecoveryPointChoice;
  }): Promise<HashedPoint>;
}

export interface VerifyMoveActivities {
  /** Compares a snapshot of the source with the hashes, but for what has changed since the point (queue `move.<site>`). */
  comparePoint(input: { readonly item: ItemSpec; readonly hashed: HashedPoint }): Promise<PointCompared>;
}
