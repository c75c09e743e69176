/** A job is one run of a runbook, with its tree of tasks. The workflow owns the record; the catalogue shows it. */
import type { ErrorCode } from './errors.ts';
import type { OperationId, ProtectedItemId } from './ids.ts';

export type JobKind = 'protect' | 'testFailover' | 'cleanupTestFailover' | 'failover' | 'commit' | 'disable';
export type JobState = 'notStarted' | 'inProgress' | 'waitingForInput' | 'succeeded' | 'failed' | 'cancelled';

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

export interface Job {
  readonly id: OperationId;
  readonly kind: JobKind;
  readonly itemId: ProtectedItemId;
  readonly machineName: string;
  readonly state: JobState;
  /** Who asked, from the bearer token of the request. */
  readonly requestedBy: string;
  /** Grows with every change; an older revision never replaces a newer one. */
  readonly revision: number;
  readonly startedAt: string;
  readonly endedAt?: string;
  readonly tasks: readonly JobTask[];
  readonly error?: JobError;
  /** What the runbook reached, e.g. recovery point, VM id, RTO; shape by kind in `workflows/contracts/types.ts`. */
  readonly result?: Readonly<Record<string, unknown>>;
}

/** Who asked for an operation; travels from the bearer token to the workflow and into its record. */
export interface Requester {
  readonly principal: string;
  readonly requestId: string;
}
