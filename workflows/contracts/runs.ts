/** Runs of runbooks: what the entity gives each, and how each can end. Plain JSON only. */
import type { RunId } from '../../domain/ids.ts';
import type { JobError, Requester } from '../../domain/job.ts';
import type { ItemSpec, Priority, ReplicationPolicy } from '../../domain/machine.ts';
import type { RunMode } from '../../domain/ports.ts';
import type { RecoveryPoint, RecoveryPointChoice } from '../../domain/replication.ts';
import type { AzureSide, HomePlace, HomeWay } from './home.ts';
import type { TargetChanges } from './types.ts';

/** What every run has. */
export interface Run {
  readonly runId: RunId;
  readonly requestedBy: Requester;
  readonly item: ItemSpec;
}

/**
 * How a run ended. `undone`: everything it had begun was undone, or it was refused before it changed anything.
 * `lost`: an undo was abandoned, the run was displaced or ended from outside; what it left is unknown.
 */
export type RunOutcome<F> =
  | { readonly ended: 'succeeded'; readonly facts: Partial<F> }
  | {
      readonly ended: 'undone';
      readonly facts: Partial<F>;
      /** Stopped at its prerequisites. */
      readonly refused: boolean;
      readonly error?: JobError;
    }
  | { readonly ended: 'lost'; readonly facts: Partial<F>; readonly error: JobError };

/** What became of the source when a failover began. `sourceStateUnknown` is never taken for off. */
export type SourceOutcome = 'shutDown' | 'poweredOff' | 'alreadyOff' | 'notAsked' | 'sourceStateUnknown';

/** Input of the `failover` runbook: one workflow type for drills, for real, and for another recovery point. */
export interface FailoverRun extends Run {
  readonly mode: RunMode;
  readonly choice: RecoveryPointChoice;
  readonly subnetId: string;
  readonly privateIpAddress?: string;
  readonly shutdownSource: boolean;
  /** Everything is made; the machine starts when the run of its plan says so. */
  readonly startWhenTold?: true;
  /** Earlier runs whose removal could not be proven, or that this one replaces: they go before anything new is made. */
  readonly removeFirst: readonly RunId[];
  /** An earlier failover that was lost may have shut the source down. */
  readonly sourceWasOn?: true;
  /** Set when the machine runs in Azure already and another point is wanted: nothing is asked of the site. */
  readonly replaces?: FailoverResult;
}

export interface FailoverResult {
  readonly runId: RunId;
  readonly mode: RunMode;
  readonly point: RecoveryPoint;
  readonly vmId: string;
  readonly diskIds: readonly string[];
  readonly privateIpAddress: string;
  readonly resourceGroup: string;
  readonly sharedGroup?: true;
  /** Snapshots of the disks before the first boot, in disk order; none in a drill. */
  readonly baselineSnapshotIds?: readonly string[];
  readonly source: SourceOutcome;
  /** Barrier of the last delta, read after replication had stopped; null: the point is the newest that was durable before. */
  readonly finalBarrier: number | null;
  /** From the start of the run to the VM running. */
  readonly rtoSeconds: number;
  /** Age of the point when the run began; for `latest` with the source shut down, 0 bytes were lost. */
  readonly rpoSeconds: number;
}

export interface CleanupRun extends Run {
  /** The drill. */
  readonly drillRunId: RunId;
  readonly notes: string;
}

export interface CleanupResult {
  /** Ids found by the run's tag after deletion; always empty in a result. */
  readonly remaining: readonly string[];
  readonly deleted: readonly string[];
}

/** Runs that end or go on from a failover: commit, rollback, complete migration. */
export interface AfterFailoverRun extends Run {
  readonly failover: FailoverResult;
}

export interface MigrationRun extends AfterFailoverRun {
  /** Ways home so far: each had a stream. */
  readonly generations: number;
}

/** Rollback: also from a failover that left something behind. */
export interface RollbackRun extends Run {
  readonly failover?: FailoverResult;
  readonly removeFirst: readonly RunId[];
}

export interface ReprotectRun extends Run {
  readonly azure: AzureSide;
  readonly place: HomePlace;
  readonly generation: number;
}

/** Failback, its cancel and its commit. */
export interface HomeRun extends Run {
  readonly way: HomeWay;
}

export interface UpdateSettingsRun extends Run {
  readonly policy?: ReplicationPolicy;
  readonly target?: TargetChanges;
  readonly priority?: Priority;
}

export interface DisksRun extends Run {
  readonly deviceKeys: readonly number[];
}

/** Resync: in the direction the item replicates. */
export interface ResyncRun extends Run {
  readonly way?: HomeWay;
}

export interface VerifyRun extends Run {
  readonly choice: RecoveryPointChoice;
}

export interface DisableRun extends Run {
  /** Set while the machine is on its way home. */
  readonly way?: HomeWay;
  /** Generation of a way home that was begun and is not known. */
  readonly unfinishedWay?: number;
  /** Ways home so far: each had a stream. */
  readonly generations: number;
  /** Nothing is asked of the site. */
  readonly purge: boolean;
}

/** The entity's answer to a run that asked for replication to stop. */
export interface ReplicationStopped {
  /** Newer than that of every session: the run writes with it, and takes the fence with it. */
  readonly sessionEpoch: number;
}
