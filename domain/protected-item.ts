/**
 * The protected item's state table: `(state, operation) → next state | refusal with reason`.
 * The one place that knows what may be done when; API, CLI and console show what `allowedOperations` says.
 * Trouble with replication is a health condition, never a state. Names follow Site Recovery's protected-item
 * operations (learn.microsoft.com, ReplicationProtectedItemOperation). docs/protected-item.md is printed from here.
 */
import type { ErrorCode } from './errors.ts';
import { guards } from './item-guards.ts';
import { operationInputs, type InputField } from './item-inputs.ts';
import { itemOperations, type ItemOperation } from './item-operations.ts';
import { isProtectionOver, stateReasons, type DrillState, type ItemState } from './item-states.ts';

export { itemOperations, type ItemOperation } from './item-operations.ts';
export {
  drillStates,
  isProtectionOver,
  itemStates,
  activeLocations,
  type ActiveLocation,
  type DrillState,
  type ItemState,
} from './item-states.ts';

/** What a decision about an operation depends on; nothing else may. */
export interface ItemSituation {
  readonly state: ItemState;
  readonly drill: DrillState;
  /** Operation that holds the slot, if any. */
  readonly running?: { readonly operation: ItemOperation | 'protect'; readonly operationId: string };
  /** In the direction the item replicates now. */
  readonly hasRecoveryPoint: boolean;
  /** An operator has paused replication. */
  readonly paused: boolean;
  /** Somebody else wrote to the disks at home: they must be compared before they may be started. */
  readonly diverged: boolean;
}

export interface Refusal {
  readonly allowed: false;
  readonly code: ErrorCode;
  readonly reason: string;
}

export interface Permission {
  readonly allowed: true;
  /** State while the operation runs. */
  readonly next: ItemState;
  /** State after it has succeeded. */
  readonly done: ItemState;
  /** State after it was rolled back or ended before it had changed anything. */
  readonly undone: ItemState;
  /** What runs gives way first: it is cancelled. */
  readonly displaces: boolean;
}

export type Verdict = Permission | Refusal;

interface Move {
  readonly during: ItemState;
  readonly done: ItemState;
}

type Moves = Partial<Record<ItemState, Move>>;

/** The operation leaves the state as it is. */
const staying = (...states: readonly ItemState[]): Moves =>
  Object.fromEntries(states.map((state) => [state, { during: state, done: state }]));

/**
 * From `from` through `during` to `done`. A run whose process was ended from outside leaves the item in `during`
 * with nobody working: there the same operation may be started again. What that one undoes is only what it has begun
 * itself, so the item stays in `during` until something leads on.
 */
const moving = (from: readonly ItemState[], during: ItemState, done: ItemState): Moves =>
  Object.fromEntries([...from, during].map((state) => [state, { during, done }]));

export const moves: Readonly<Record<ItemOperation, Moves>> = {
  testFailover: staying('protected'),
  cleanupTestFailover: staying(
    'protected',
    'failoverFailed',
    'failedOver',
    'committed',
    'reprotecting',
    'protectedReverse',
    'failedBack',
    'failedBackCommitted',
  ),
  failover: moving(['protected', 'failoverFailed'], 'failingOver', 'failedOver'),
  changeRecoveryPoint: moving(['failedOver'], 'changingRecoveryPoint', 'failedOver'),
  rollback: moving(['failedOver', 'failoverFailed', 'changingRecoveryPoint'], 'rollingBack', 'protected'),
  commit: {
    ...moving(['failedOver'], 'committing', 'committed'),
    ...moving(['failedBack'], 'committingFailback', 'failedBackCommitted'),
  },
  completeMigration: moving(['committed'], 'completingMigration', 'migrated'),
  reprotect: moving(['committed'], 'reprotecting', 'protectedReverse'),
  failback: moving(['protectedReverse'], 'failingBack', 'failedBack'),
  cancelFailback: moving(['failedBack', 'failingBack'], 'cancellingFailback', 'protectedReverse'),
  reEnable: moving(['failedBackCommitted'], 'reEnabling', 'protected'),
  pause: staying('protected', 'protectedReverse'),
  resume: staying('protected', 'protectedReverse'),
  resync: staying('protected', 'protectedReverse'),
  verify: staying('protected'),
  updateSettings: staying('protected', 'protectedReverse', 'failedBackCommitted'),
  addDisks: staying('protected'),
  excludeDisks: staying('protected'),
  disable: moving(
    [
      'enablingProtection',
      'initialReplicating',
      'protected',
      'committed',
      'reprotecting',
      'protectedReverse',
      'failedBackCommitted',
      'completingMigration',
    ],
    'disabling',
    'disabled',
  ),
  purge: { disabling: { during: 'disabling', done: 'disabled' } },
};

/** Decides one operation. Every refusal names its reason; the order is: what runs, what the state allows, the guards. */
export function decide(situation: ItemSituation, operation: ItemOperation): Verdict {
  const displaces = situation.running !== undefined;
  if (situation.running !== undefined && !givesWay(situation.running.operation, operation)) {
    return { allowed: false, code: 'DR_OPERATION_BUSY', reason: `${situation.running.operation} is running` };
  }
  const move = moves[operation][situation.state];
  if (move === undefined) {
    const early = operation === 'commit' && !committedStates.includes(situation.state);
    const code = early ? 'DR_COMMIT_BEFORE_FAILOVER' : 'DR_OPERATION_REFUSED';
    return { allowed: false, code, reason: stateReasons[situation.state] };
  }
  for (const guard of guards[operation] ?? []) {
    const reason = guard.refuses(situation);
    if (reason !== undefined) return { allowed: false, code: guard.code, reason };
  }
  return {
    allowed: true,
    next: move.during,
    done: move.done,
    undone: situation.state,
    displaces,
  };
}

const committedStates: readonly ItemState[] = ['committed', 'failedBackCommitted'];

/** On the worst night a failover does not wait for a rehearsal; ending protection is the way out of a first copy. */
const displacing: Partial<Record<ItemOperation, readonly (ItemOperation | 'protect')[]>> = {
  failover: [
    'testFailover',
    'cleanupTestFailover',
    'resync',
    'verify',
    'updateSettings',
    'addDisks',
    'excludeDisks',
  ],
  disable: ['protect', 'resync', 'verify', 'reprotect'],
  purge: ['disable'],
};

export function givesWay(running: ItemOperation | 'protect', to: ItemOperation): boolean {
  return displacing[to]?.includes(running) ?? false;
}

export interface AllowedOperation {
  readonly operation: ItemOperation;
  readonly allowed: boolean;
  /** Present when not allowed. */
  readonly reason?: string;
  /** What it takes; present when allowed. */
  readonly input?: readonly InputField[];
}

/** All operations, each allowed with what it takes, or with the reason why not. */
export function allowedOperations(situation: ItemSituation): AllowedOperation[] {
  return itemOperations.map((operation) => {
    const verdict = decide(situation, operation);
    return verdict.allowed
      ? { operation, allowed: true, input: operationInputs[operation] }
      : { operation, allowed: false, reason: verdict.reason };
  });
}

/** The item may be left alone in this state: something leads on, or protection has ended. */
export function leadsOn(state: ItemState): boolean {
  return isProtectionOver(state) || itemOperations.some((operation) => moves[operation][state] !== undefined);
}
