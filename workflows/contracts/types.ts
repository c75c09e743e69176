/** Inputs, results and views that cross the border between clients, workflows and activities. Plain JSON only. */
import type { Condition, Health } from '../../domain/health.ts';
import type { OperationId, ProtectedItemId, RunId, VCenterId } from '../../domain/ids.ts';
import type { JobDecision, JobError, Requester } from '../../domain/job.ts';
import type { ItemSpec, Priority, ReplicationPolicy, TargetSettings } from '../../domain/machine.ts';
import type {
  ActiveLocation,
  AllowedOperation,
  DrillState,
  ItemOperation,
  ItemState,
} from '../../domain/protected-item.ts';
import type { Direction } from '../../domain/streams.ts';
import type {
  RecoveryPointChoice,
  ReplicationProgress,
  ReplicationTotals,
} from '../../domain/replication.ts';
import type { ScrubTotals } from '../../domain/scrub.ts';
import type { HomePlace, HomeWay } from './home.ts';
import type { FailoverResult } from './runs.ts';

export type { CleanupResult, FailoverResult, FailoverRun, SourceOutcome } from './runs.ts';

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
  /** The operator says that the machine is a physical server: becomes `ItemSpec.isPhysical`. */
  readonly physical?: true;
}

interface Requested {
  readonly operationId: OperationId;
  readonly requestedBy: Requester;
}

/** Changes of target settings: null takes an optional one away. */
export type TargetChanges = {
  readonly [K in keyof TargetSettings]?: TargetSettings[K] | null;
};

/** What each operation takes, beside who asked; domain/item-inputs.ts says the same as data. */
export interface OperationInputs {
  readonly testFailover: {
    readonly choice: RecoveryPointChoice;
    /** Subnet of an isolated network. */
    readonly subnetId: string;
    readonly startWhenTold?: true;
  };
  readonly cleanupTestFailover: { readonly notes: string };
  readonly failover: {
    readonly choice: RecoveryPointChoice;
    readonly shutdownSource: boolean;
    readonly startWhenTold?: true;
  };
  readonly changeRecoveryPoint: { readonly choice: RecoveryPointChoice };
  readonly verify: { readonly choice: RecoveryPointChoice };
  readonly reprotect: { readonly place: HomePlace };
  readonly updateSettings: {
    readonly policy?: ReplicationPolicy;
    readonly target?: TargetChanges;
    readonly priority?: Priority;
  };
  readonly addDisks: { readonly deviceKeys: readonly number[] };
  readonly excludeDisks: { readonly deviceKeys: readonly number[] };
}

type InputOf<O extends ItemOperation> = O extends keyof OperationInputs ? OperationInputs[O] : unknown;

/** An operation as it is booked with the entity. */
export type OperationRequest<O extends ItemOperation = ItemOperation> = O extends ItemOperation
  ? Requested & { readonly operation: O } & InputOf<O>
  : never;

/** An operator's decision about a running job; `reason` is kept with the job (needed for `skip`). */
export interface DecisionInput {
  readonly decision: JobDecision;
  readonly requestedBy: Requester;
  readonly reason: string;
}

/** Every update answers this at once; the work goes on, watch the job. */
export interface OperationAccepted {
  readonly operationId: OperationId;
}

/** The last drill that was cleaned up. */
export interface LastDrill {
  readonly runId: RunId;
  readonly endedAt: string;
  /** Its machine ran, and the listing by its tag was empty after cleanup. */
  readonly clean: boolean;
  readonly notes: string;
}

export interface DrillView {
  readonly state: DrillState;
  readonly last?: LastDrill;
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
  /** The way home, from reprotect to the failback's commit. */
  readonly home?: HomeWay;
  readonly direction: Direction;
  readonly paused: boolean;
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
  /** What the session before this one has noticed. */
  readonly appConsistency?: AppConsistency;
  /** Health shows already that the replica differs from the source. */
  readonly differenceKnown?: true;
}

export type SessionOutcome =
  | { readonly outcome: 'sessionEnded' }
  | { readonly outcome: 'recovered' }
  | SessionNotice
  | { readonly outcome: 'stopped'; readonly condition: Omit<Condition, 'since'> };

export type SessionNotice =
  /** Quiescing has begun to fail, or works again; the next session goes on from what is known. */
  | { readonly outcome: 'noticed'; readonly appConsistency: AppConsistency }
  /** A recovery point was found to differ from its source. */
  | { readonly outcome: 'differs'; readonly condition: Omit<Condition, 'since'> };

/** How old the newest durable changes are, against the policy; `unknown`: the storage account does not say. */
export type RpoSight = 'kept' | 'exceeded' | 'unknown';

export interface RpoWatchInput {
  readonly item: ItemSpec;
  readonly thresholdSeconds: number;
  readonly last: RpoSight;
  /** ISO 8601; the watch returns `sessionEnded` after this. */
  readonly endsAt: string;
}

export interface RpoSeen {
  readonly outcome: RpoSight | 'sessionEnded';
  /** Source time of the newest durable barrier; null: there is none. */
  readonly sourceTime: string | null;
}

export type ApplySessionInput = ShipSessionInput;

/** Where a session stands with application-consistent points. */
export interface AppConsistency {
  /** ISO 8601; the first cycle after this asks the guest to quiesce. */
  readonly nextAt: string;
  /** The last request failed: the points are crash-consistent and say so. */
  readonly warning?: Omit<Condition, 'since'>;
}

/** Heartbeat details of the activities that move bytes; the API reads them from Temporal while they run. */
export interface ReplicationHeartbeat {
  readonly failures: number;
  readonly progress?: ReplicationProgress;
  readonly totals: ReplicationTotals;
  /** Absent: the policy wants no application-consistent points. */
  readonly appConsistency?: AppConsistency;
}

/** Heartbeat details of the applier. */
export interface ApplyHeartbeat {
  readonly failures: number;
  readonly appliedBarrier: number;
  readonly pendingBytes: number;
  readonly newestPointTime?: string;
  /** What is durable and not applied: wire bytes, and the age of the oldest of it. Absent: not looked at yet. */
  readonly applyLag?: { readonly bytes: number; readonly seconds: number };
  /** Absent: nothing was compared yet. */
  readonly scrub?: ScrubTotals;
  /** Of a verification. */
  readonly progress?: ReplicationProgress;
}

export interface VCenterProbeInput {
  readonly site: string;
  readonly url: string;
}

export interface DiscoveryInput {
  readonly site: string;
  readonly vcenterId: VCenterId;
}

export interface AddVCenterInput extends DiscoveryInput {
  readonly operationId: OperationId;
  readonly requestedBy: Requester;
  readonly url: string;
  /** What the operator confirmed. */
  readonly certificateSha256: string;
}

export interface DiscoveryResult {
  readonly machineCount: number;
  readonly about: { readonly name: string; readonly version: string; readonly instanceUuid: string };
  /** Why machines were found without their tags. */
  readonly tagsProblem?: JobError;
}

/** Checks before an operation without doing it: what would refuse it now, all at once. */
export interface ItemCheckInput {
  readonly view: ItemView;
  readonly request: Extract<
    OperationRequest,
    { operation: 'failover' | 'testFailover' | 'reprotect' | 'failback' }
  >;
}

export interface ItemCheckResult {
  readonly problems: readonly JobError[];
  readonly checkedAt: string;
}
