/**
 * What one run of a recovery plan leaves behind for an auditor. Plain JSON; times are ISO 8601 UTC by the clock of the
 * server, durations are seconds. What is not known is absent, never invented. docs/evidence.md describes each field.
 */
import type { JobError } from '../job.ts';
import type { PlanRunKind, StepAction } from '../plan/plan.ts';

/**
 * Of the record, of the chain and of the page alike: what changes a bundle that exists is another version. Optional fields
 * are added to this one; a page without them stays what it was, byte for byte.
 */
export const EVIDENCE_VERSION = 'switchback/evidence/v1';

export interface RunRecord {
  readonly apiVersion: typeof EVIDENCE_VERSION;
  readonly run: RunFacts;
  readonly plan: PlanFacts;
  readonly members: readonly MemberRecord[];
  /** In the order in which they began. */
  readonly steps: readonly StepRecord[];
  /** What operators decided about the run, oldest first. */
  readonly decisions: readonly DecisionRecord[];
  readonly cleanup?: CleanupProof;
  readonly prediction?: PredictionRecord;
}

/** `cancelled`: an operator ended it. `undone`: what it had begun was taken back. `lost`: what is left is not known. */
export const runOutcomes = ['succeeded', 'failed', 'cancelled', 'undone', 'lost'] as const;
/** `reached`: nothing was left to do for it. */
export const memberOutcomes = ['succeeded', 'reached', 'skipped', 'failed', 'undone', 'lost'] as const;
export const stepOutcomes = ['succeeded', 'skipped', 'failed', 'undone'] as const;
export const approvalAnswers = ['approved', 'rejected', 'skipped'] as const;

export interface RunFacts {
  readonly id: string;
  readonly kind: PlanRunKind;
  /** From the bearer token of the request, or the schedule's own name. */
  readonly startedBy: string;
  readonly startedAt: string;
  readonly endedAt: string;
  readonly outcome: (typeof runOutcomes)[number];
  readonly error?: JobError;
  readonly rpoSeconds?: Objective;
  readonly rtoSeconds?: Objective;
}

/** An objective and what the run came to; of several machines the worst. */
export interface Objective {
  readonly target?: number;
  readonly reached?: number;
}

export interface PlanFacts {
  readonly name: string;
  readonly version: number;
  /** Of the text, hexadecimal. */
  readonly sha256: string;
  /** The YAML as it was applied. */
  readonly text?: string;
}

export interface MemberRecord {
  readonly machineName: string;
  readonly itemId: string;
  readonly group: string;
  readonly recoveryPoint?: PointRecord;
  /** What became of the source: `shutDown`, `poweredOff`, `alreadyOff`, `notAsked`, `sourceStateUnknown`. */
  readonly source?: string;
  readonly rpoSeconds?: number;
  readonly rtoSeconds?: number;
  readonly disks?: readonly DiskRecord[];
  /** The last comparison of the source with a recovery point; which point, it says itself. */
  readonly verification?: VerificationRecord;
  /** The end of the serial console log of the machine in Azure. */
  readonly bootLog?: BootLogRecord;
  /** ARM ids of what the run made, or moved home. */
  readonly azureIds?: readonly string[];
  readonly address?: string;
  readonly startedAt?: string;
  readonly endedAt?: string;
  readonly outcome: (typeof memberOutcomes)[number];
  /** For people: why it was skipped, what was reached. */
  readonly detail?: string;
  readonly error?: JobError;
  /** Tries that failed, oldest first, at most `FAILURES_MAX`. */
  readonly failures?: readonly FailureRecord[];
}

export interface PointRecord {
  readonly id: string;
  /** Source time. */
  readonly time: string;
  /** `crash` or `application`. */
  readonly consistency?: string;
}

export interface DiskRecord {
  readonly id: string;
  readonly bytes?: number;
  /** What the hash is of and how it was made: `sha256 of the disk`, `sha256 of the last segment`. */
  readonly hashOf: string;
  /** Hexadecimal. */
  readonly hash: string;
}

export interface StepRecord {
  readonly name: string;
  /** What it stands around: the run, a group, a machine. */
  readonly where: string;
  readonly action: StepAction['kind'];
  readonly isCritical?: boolean;
  readonly tries?: number;
  readonly startedAt?: string;
  readonly endedAt?: string;
  /** `undone`: it took back what the step of this name had done. */
  readonly outcome: (typeof stepOutcomes)[number];
  /** For people: `200 in 31 ms`. */
  readonly detail?: string;
  /** What was seen: status, duration, lines of a boot log. Never a secret. */
  readonly observed?: Readonly<Record<string, string | number | boolean>>;
  /** Who let it pass, rejected it or skipped it. */
  readonly approval?: ApprovalRecord;
  readonly error?: JobError;
  /** Tries that failed, oldest first, at most `FAILURES_MAX`. */
  readonly failures?: readonly FailureRecord[];
}

/** Of one machine or step: the first of more. */
export const FAILURES_MAX = 20;

export interface FailureRecord {
  readonly startedAt: string;
  readonly endedAt: string;
  readonly error: JobError;
}

/** By hashes of all blocks on both sides, but of what has changed on the source meanwhile. */
export interface VerificationRecord {
  readonly job: string;
  readonly endedAt: string;
  /** The recovery point that was compared. */
  readonly pointId: string;
  readonly comparedBytes: number;
  /** Changed since the point, so not compared. */
  readonly changedBytes: number;
  readonly differingBytes: number;
}

/** Either what was read, or why it was not. */
export interface BootLogRecord {
  /** ISO 8601 UTC, when it was read. */
  readonly at: string;
  /** UTF-8, of what was kept. */
  readonly bytes?: number;
  /** Of those bytes, hexadecimal. */
  readonly sha256?: string;
  readonly text?: string;
  readonly problem?: string;
}

export interface ApprovalRecord {
  readonly answer: (typeof approvalAnswers)[number];
  /** Absent: nobody answered in time, and the plan says what that means. */
  readonly by?: string;
  readonly at: string;
  readonly reason?: string;
}

export interface DecisionRecord {
  readonly by: string;
  readonly at: string;
  /** `retry`, `skip`, `rollBack`, … */
  readonly decision: string;
  /** What it was about. */
  readonly step?: string;
  readonly reason?: string;
  /** JSON of what the step did instead of what the plan says. */
  readonly instead?: string;
}

/** After the cleanup of a drill everything with the tag of its run was listed once more. */
export interface CleanupProof {
  readonly runTag: string;
  /** Whose listings were asked for, by name. */
  readonly providers: readonly string[];
  /** Ids that were found; empty in a proof. */
  readonly remaining: readonly string[];
  readonly at: string;
}

/** What the simulation had said before the run began. */
export interface PredictionRecord {
  readonly rtoSecondsP50?: number;
  readonly rtoSecondsP90?: number;
  readonly rpoSeconds?: number;
  readonly madeAt?: string;
}
