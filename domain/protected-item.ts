/**
 * The protected item's state table: `(state, operation) → next state | refusal with reason`.
 * The one place that knows what may be done when; API, CLI and console show what `allowedOperations` says.
 * Trouble with replication is a health condition, never a state. Names follow Site Recovery's protected-item
 * operations (learn.microsoft.com, ReplicationProtectedItemOperation).
 */
import type { ErrorCode } from './errors.ts';

export const itemStates = [
  'enablingProtection',
  /** The machine was refused or could not be prepared; nothing was left behind and it may be protected again. */
  'enablingFailed',
  'initialReplicating',
  'protected',
  'failingOver',
  'failoverFailed',
  'failedOver',
  'committing',
  'committed',
  'disabling',
  /** Protection has ended; nothing of the item is left in the storage account and the machine may be protected again. */
  'disabled',
] as const;
export type ItemState = (typeof itemStates)[number];

const overStates: ReadonlySet<ItemState> = new Set(['enablingFailed', 'disabled']);

/** Nothing protects the machine: it may be protected under the same id. */
export function isProtectionOver(state: ItemState): boolean {
  return overStates.has(state);
}

export const drillStates = ['none', 'starting', 'running', 'failed', 'cleaningUp', 'cleanupFailed'] as const;
export type DrillState = (typeof drillStates)[number];

export const itemOperations = [
  'testFailover',
  'cleanupTestFailover',
  'failover',
  'commit',
  'disable',
] as const;
export type ItemOperation = (typeof itemOperations)[number];

export type ActiveLocation = 'onPremises' | 'azure';

/** What a decision about an operation depends on; nothing else may. */
export interface ItemSituation {
  readonly state: ItemState;
  readonly drill: DrillState;
  /** Operation that holds the slot, if any. */
  readonly running?: { readonly operation: ItemOperation | 'protect'; readonly operationId: string };
  readonly hasRecoveryPoint: boolean;
}

export interface Refusal {
  readonly allowed: false;
  readonly code: ErrorCode;
  readonly reason: string;
}

export type Verdict = { readonly allowed: true; readonly next: ItemState } | Refusal;

/** State that the item is in while the operation runs; absent means the operation is refused in that state. */
const table: Readonly<Record<ItemOperation, Partial<Record<ItemState, ItemState>>>> = {
  testFailover: { protected: 'protected' },
  cleanupTestFailover: {
    protected: 'protected',
    failoverFailed: 'failoverFailed',
    failedOver: 'failedOver',
    committed: 'committed',
  },
  failover: { protected: 'failingOver', failoverFailed: 'failingOver' },
  commit: { failedOver: 'committing' },
  disable: {
    enablingProtection: 'disabling',
    initialReplicating: 'disabling',
    protected: 'disabling',
    committed: 'disabling',
    /** After a purge that did not finish. */
    disabling: 'disabling',
  },
};

const drillGuards: Readonly<Partial<Record<ItemOperation, (drill: DrillState) => string | undefined>>> = {
  testFailover: (drill) => (drill === 'none' ? undefined : 'a test failover exists; clean it up first'),
  cleanupTestFailover: (drill) =>
    drill === 'running' || drill === 'failed' || drill === 'cleanupFailed'
      ? undefined
      : 'there is no test failover to clean up',
  disable: (drill) => (drill === 'none' ? undefined : 'a test failover exists; clean it up first'),
};

const stateReasons: Readonly<Record<ItemState, string>> = {
  enablingProtection: 'protection is being enabled',
  enablingFailed: 'protection could not be enabled; protect the machine again',
  initialReplicating: 'initial replication has not finished',
  protected: 'the machine runs on premises and is protected',
  failingOver: 'a failover is running',
  failoverFailed: 'the last failover did not finish; run failover again',
  failedOver: 'the machine has failed over and waits for commit',
  committing: 'the failover is being committed',
  committed: 'the failover is committed',
  disabling: 'protection is being ended',
  disabled: 'protection has ended; protect the machine again',
};

/** Decides one operation. Every refusal names its reason; the order is: what runs, what the state allows, what the drill allows, points. */
export function decide(situation: ItemSituation, operation: ItemOperation): Verdict {
  // Ending protection is the one way out of an initial replication that cannot succeed.
  const stopsProtect = operation === 'disable' && situation.running?.operation === 'protect';
  if (situation.running !== undefined && !stopsProtect) {
    return refuse('DR_OPERATION_BUSY', `${situation.running.operation} is running`);
  }
  const next = table[operation][situation.state];
  if (next === undefined) {
    const code =
      operation === 'commit' && situation.state !== 'committed'
        ? 'DR_COMMIT_BEFORE_FAILOVER'
        : 'DR_OPERATION_REFUSED';
    return refuse(code, stateReasons[situation.state]);
  }
  const drillReason = drillGuards[operation]?.(situation.drill);
  if (drillReason !== undefined) return refuse('DR_OPERATION_REFUSED', drillReason);
  if ((operation === 'failover' || operation === 'testFailover') && !situation.hasRecoveryPoint) {
    return refuse('DR_POINT_NONE', 'there is no recovery point yet');
  }
  return { allowed: true, next };
}

export interface AllowedOperation {
  readonly operation: ItemOperation;
  readonly allowed: boolean;
  /** Present when not allowed. */
  readonly reason?: string;
}

/** All operations, each allowed or with the reason why not. */
export function allowedOperations(situation: ItemSituation): AllowedOperation[] {
  return itemOperations.map((operation) => {
    const verdict = decide(situation, operation);
    return verdict.allowed
      ? { operation, allowed: true }
      : { operation, allowed: false, reason: verdict.reason };
  });
}

function refuse(code: ErrorCode, reason: string): Refusal {
  return { allowed: false, code, reason };
}
