/** A job is one run of a runbook, with its tree of tasks. The workflow owns the record; the catalogue shows it. */
import type { ErrorCode } from './errors.ts';
import { itemOperations, type ItemOperation } from './item-operations.ts';
import type { PlanRunKind } from './plan/plan.ts';
import type { OperationId, ProtectedItemId } from './ids.ts';

/** What is set up before anything can be protected; over when whoever asked for it has the answer. */
const setupJobKinds = ['createPolicy', 'addVCenter'] as const;
/** Runs of recovery plans, by what they do. */
export const planJobKinds = {
  test: 'testPlan',
  cleanup: 'cleanupPlan',
  failover: 'failoverPlan',
  commit: 'commitPlan',
  reprotect: 'reprotectPlan',
  failback: 'failbackPlan',
  reEnable: 'reEnablePlan',
} as const satisfies Readonly<Record<PlanRunKind, string>>;
export type PlanJobKind = (typeof planJobKinds)[PlanRunKind];

/** Setting up, enabling protection, every operation of a protected item, and runs of plans. */
export const jobKinds = [
  ...setupJobKinds,
  'protect',
  ...itemOperations,
  ...Object.values(planJobKinds),
] as const;
export type JobKind = (typeof setupJobKinds)[number] | 'protect' | ItemOperation | PlanJobKind;

export function isPlanJob(kind: JobKind): kind is PlanJobKind {
  return Object.values<JobKind>(planJobKinds).includes(kind);
}

export const jobStates = [
  'notStarted',
  'inProgress',
  'waitingForInput',
  'succeeded',
  'failed',
  'cancelled',
] as const;
export type JobState = (typeof jobStates)[number];

const ends: Readonly<Partial<Record<JobState, string>>> = {
  succeeded: 'has succeeded',
  failed: 'has failed',
  cancelled: 'was cancelled',
};

export function isJobOver(state: JobState): boolean {
  return ends[state] !== undefined;
}

/** Step of a failover that waits until the run of its plan starts the machine. */
export const TURN_TASK = 'turn';

/** Everything is made, and the machine starts when its plan says so. */
export function isAtTurn({ state, tasks }: Job): boolean {
  return !isJobOver(state) && tasks.some(({ id, state }) => id === TURN_TASK && state === 'inProgress');
}

/** How a job that is over has ended, for messages. */
export function howItEnded(state: JobState): string {
  return ends[state] ?? 'has ended';
}

/** The one task of a scheduled drill that did not run; it says why. */
export const MISSED_DRILL_TASK = 'missed';

/** Jobs that are no run of their own have no choices. */
export const PROTECT_HAS_NO_CHOICES = 'enabling protection is ended by ending it: `switchback item disable`';

export interface JobError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly remedy: string;
}

export interface JobTask {
  /** Unique inside the job; stable over retries. */
  readonly id: string;
  readonly name: string;
  readonly state: JobState | 'skipped';
  readonly startedAt?: string;
  readonly endedAt?: string;
  /** What was observed, for people: "source powered off", "VM running at 10.0.0.4". */
  readonly detail?: string;
  readonly error?: JobError;
  readonly children?: readonly JobTask[];
}

/**
 * What an operator can decide about a running job. `finish`: go on, as if nothing was asked. `rollBack`: undo every
 * step that has begun, newest first. `hold`: stop where it is and wait. `retry`: the failed step again. `skip`: go on
 * without the failed step. `abandon`: end although an undo failed; the next operation finds what is left. `approve` and
 * `reject` answer a manual step; `keep`: end the run of a plan and leave everything as it is.
 */
export const jobDecisions = [
  'finish',
  'rollBack',
  'hold',
  'retry',
  'skip',
  'abandon',
  'approve',
  'reject',
  'keep',
] as const;
export type JobDecision = (typeof jobDecisions)[number];

export interface JobChoice {
  readonly decision: JobDecision;
  /** For data and machines, at this step. */
  readonly means: string;
  /** The task that waits for it; absent: it is about the whole job. */
  readonly taskId?: string;
}

export interface Job {
  readonly id: OperationId;
  readonly kind: JobKind;
  /** Absent: it sets something up, or is the run of a plan. */
  readonly itemId?: ProtectedItemId;
  /** Name of the machine, the policy, the vCenter or the plan. */
  readonly subject: string;
  readonly state: JobState;
  /** Who asked, from the bearer token of the request. */
  readonly requestedBy: string;
  /** Grows with every change; an older revision never replaces a newer one. */
  readonly revision: number;
  readonly startedAt: string;
  readonly endedAt?: string;
  readonly tasks: readonly JobTask[];
  /** Decisions that are possible now; absent once the job is over. */
  readonly choices?: readonly JobChoice[];
  readonly error?: JobError;
  /** What the runbook reached, e.g. recovery point, VM id, RTO; shape by kind in `workflows/contracts/types.ts`. */
  readonly result?: Readonly<Record<string, unknown>>;
}

/** Who asked for an operation; travels from the bearer token to the workflow and into its record. */
export interface Requester {
  readonly principal: string;
  readonly requestId: string;
}
