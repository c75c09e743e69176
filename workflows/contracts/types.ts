/** Inputs, results and views that cross the border between clients, workflows and activities. Plain JSON only. */
import type { Condition, Health } from '../../domain/health.ts';
import type { OperationId, ProtectedItemId, RunId, VCenterId } from '../../domain/ids.ts';
import type { JobError, Requester } from '../../domain/job.ts';
import type { ItemSpec, ReplicationPolicy, TargetSettings } from '../../domain/machine.ts';
import type { ActiveLocation, AllowedOperation, DrillState, ItemState } from '../../domain/protected-item.ts';
import type { RunMode } from '../../domain/ports.ts';
import type {
  RecoveryPoint,
  RecoveryPointChoice,
  ReplicationProgress,
  ReplicationTotals,
} from '../../domain/replication.ts';

/** Starts the entity; the process server completes the machine facts itself, so a stale catalogue cannot mislead it. */
export interface ProtectInput {
  readonly operationId: OperationId;
  readonly requestedBy: Requester;
  readonly itemId: ProtectedItemId;
  readonly machineName: string;
  readonly vcenterId: VCenterId;
  readonly site: string;
  readonly policy: ReplicationPolicy;
  readonly target: TargetSettings;
  /** Device keys left out. */
  readonly excludedDisks: readonly number[];
}

export interface TestFailoverInput {
  readonly operationId: OperationId;
  readonly requestedBy: Requester;
  readonly choice: RecoveryPointChoice;
  /** Subnet of an isolated network. */
  readonly subnetId: string;
}

export interface CleanupInput {
  readonly operationId: OperationId;
  readonly requestedBy: Requester;
  readonly notes: string;
}

export interface FailoverInput {
  readonly operationId: OperationId;
  readonly requestedBy: Requester;
  readonly choice: RecoveryPointChoice;
  readonly shutdownSource: boolean;
}

export interface CommitInput {
  readonly operationId: OperationId;
  readonly requestedBy: Requester;
}

export interface DisableInput {
  readonly operationId: OperationId;
  readonly requestedBy: Requester;
}

/** Every update answers this at once; the work goes on, watch the job. */
export interface OperationAccepted {
  readonly operationId: OperationId;
}

/** What became of the source when a failover began. `sourceStateUnknown` is never taken for off. */
export type SourceOutcome = 'shutDown' | 'poweredOff' | 'alreadyOff' | 'notAsked' | 'sourceStateUnknown';

/** Input of the `failover` runbook: one workflow type for drills and for real. */
export interface FailoverRun {
  readonly runId: RunId;
  readonly mode: RunMode;
  readonly requestedBy: Requester;
  readonly item: ItemSpec;
  readonly choice: RecoveryPointChoice;
  readonly subnetId: string;
  readonly privateIpAddress?: string;
  readonly shutdownSource: boolean;
  /** Earlier runs whose removal could not be proven: they go before anything new is made. */
  readonly removeFirst: readonly RunId[];
}

export interface FailoverResult {
  readonly runId: RunId;
  readonly mode: RunMode;
  readonly point: RecoveryPoint;
  readonly vmId: string;
  readonly diskIds: readonly string[];
  readonly privateIpAddress: string;
  readonly resourceGroup: string;
  readonly source: SourceOutcome;
  /** Barrier of the last delta, read after replication had stopped; null: the point is the newest that was durable before. */
  readonly finalBarrier: number | null;
  /** From the start of the run to the VM running. */
  readonly rtoSeconds: number;
  /** Age of the point when the run began; for `latest` with the source shut down, 0 bytes were lost. */
  readonly rpoSeconds: number;
}

/**
 * How a failover run ended. A failed run says what it left in Azure (nothing was made, all was removed again, or
 * something may remain) and what it did to the source.
 */
export type FailoverOutcome =
  | { readonly outcome: 'done'; readonly result: FailoverResult }
  | {
      readonly outcome: 'failed';
      readonly error: JobError;
      readonly left: 'nothing' | 'removed' | 'unknown';
      readonly source: SourceOutcome;
    };

export interface CleanupRun {
  readonly operationId: OperationId;
  readonly requestedBy: Requester;
  readonly item: ItemSpec;
  readonly runId: RunId;
  readonly notes: string;
}

export type CleanupOutcome =
  | { readonly outcome: 'done'; readonly result: CleanupResult }
  | { readonly outcome: 'failed'; readonly error: JobError };

export interface CleanupResult {
  /** Ids found by the run's tag after deletion; always empty in a result. */
  readonly remaining: readonly string[];
  readonly deleted: readonly string[];
}

export interface DrillView {
  readonly state: DrillState;
  readonly runId?: RunId;
  readonly result?: FailoverResult;
}

/** Answer of the entity's `describe` query, and what the catalogue projects. */
export interface ItemView {
  readonly itemId: ProtectedItemId;
  readonly machineName: string;
  readonly vcenterId: VCenterId;
  readonly state: ItemState;
  readonly activeLocation: ActiveLocation;
  readonly health: Health;
  readonly conditions: readonly Condition[];
  readonly drill: DrillView;
  readonly allowedOperations: readonly AllowedOperation[];
  /** Absent until the machine was checked. */
  readonly spec?: ItemSpec;
  readonly policyId: string;
  readonly failover?: FailoverResult;
  readonly running?: { readonly operation: string; readonly operationId: OperationId };
  readonly protectedSince?: string;
  /** Grows with every change; an older revision never replaces a newer one in the catalogue. */
  readonly revision: number;
}

// ------------------------------------------------------------ activity inputs and results

export interface ShipSessionInput {
  readonly item: ItemSpec;
  readonly sessionEpoch: number;
  /** ISO 8601; the session returns `sessionEnded` after this. */
  readonly endsAt: string;
  /** The session before this one stopped in trouble: answer `recovered` after the first good cycle. */
  readonly reportRecovery: boolean;
}

export type SessionOutcome =
  | { readonly outcome: 'sessionEnded' }
  | { readonly outcome: 'recovered' }
  | { readonly outcome: 'stopped'; readonly condition: Omit<Condition, 'since'> };

export type ApplySessionInput = ShipSessionInput;

/** Heartbeat details of the activities that move bytes; the API reads them from Temporal while they run. */
export interface ReplicationHeartbeat {
  readonly failures: number;
  readonly progress?: ReplicationProgress;
  readonly totals: ReplicationTotals;
}

/** Heartbeat details of the applier. */
export interface ApplyHeartbeat {
  readonly failures: number;
  readonly appliedBarrier: number;
  readonly pendingBytes: number;
  readonly newestPointTime?: string;
}

export interface VCenterProbeInput {
  readonly site: string;
  readonly url: string;
}

export interface DiscoveryInput {
  readonly site: string;
  readonly vcenterId: VCenterId;
}

export interface DiscoveryResult {
  readonly machineCount: number;
  readonly about: { readonly name: string; readonly version: string; readonly instanceUuid: string };
}
