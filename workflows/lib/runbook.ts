/**
 * A runbook as data: its steps in order, each with what makes it safe to repeat, its undo, and what holding or
 * skipping it means. `run-runbook.ts` plays it; docs/runbooks.md is printed from it; the tests take every step of
 * every runbook and repeat it, fail it, and undo it twice.
 */
import type { JobKind } from '../../domain/job.ts';
import type { Run } from '../contracts/runs.ts';
import type { TaskLog } from './job-log.ts';

/** What a step has beside its input and the facts of earlier steps. */
export interface StepTools extends TaskLog {
  /** Ends the item's replication and answers a session epoch newer than that of every session. */
  stopReplication(): Promise<number>;
  /** Waits until whoever began the run says that its turn has come (true) or never will. Bounded by the caller. */
  turn(withinSeconds: number): Promise<boolean>;
}

export interface Done<F> {
  /** Plain JSON; later steps and the entity read it. */
  readonly facts?: Partial<F>;
  /** What was observed, for people. */
  readonly detail?: string;
}

export interface Undo<I, F> {
  readonly name: string;
  /** For data and machines; shown before an operator chooses to roll back. */
  readonly means: string;
  /** May be repeated, and is owed even if the step's action never answered. */
  run(input: I, facts: Partial<F>, tools: StepTools): Promise<string | undefined>;
}

export interface Step<I, F> {
  readonly id: string;
  readonly name: string;
  /** The name by which a repetition finds what the step has made; "reads only" where it makes nothing. */
  readonly key: string;
  /** `check`: changes nothing, so its failure as the first thing a run does ends it. `bestEffort`: a failure is recorded and the run goes on. */
  readonly kind?: 'check' | 'bestEffort';
  /** From this step on the run can only be finished or held. */
  readonly pointOfNoReturn?: true;
  /** What going on without it means; absent: it cannot be skipped. */
  readonly skip?: string;
  /** What the machine does while the run is held here; absent: as at the step before. */
  readonly held?: string;
  applies?(input: I, facts: Partial<F>): boolean;
  run(input: I, facts: Partial<F>, tools: StepTools): Promise<Done<F>>;
  readonly undo?: Undo<I, F>;
}

export interface Runbook<I extends Run, F> {
  readonly kind: JobKind | ((input: I) => JobKind);
  /**
   * After a failure: `wait` for an operator's decision, or `rollBack` by itself (a drill: nobody may be there).
   */
  readonly onFailure: 'wait' | 'rollBack' | ((input: I) => 'wait' | 'rollBack');
  /** What finishing means. */
  readonly finish: string;
  readonly steps: readonly Step<I, F>[];
  /** What the job shows as its result. */
  result?(input: I, facts: Partial<F>): Readonly<Record<string, unknown>>;
}
