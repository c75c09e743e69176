/** Which decisions an operator has about a run, and what each means. Pure, so that it can be tested without a run. */
import type { JobChoice, JobDecision } from '../../domain/job.ts';
import type { Run } from '../contracts/runs.ts';
import type { Runbook, Step } from './runbook.ts';

/** `held`: an operator asked for it. `failed`, `undoFailed`: it waits for one. */
export type RunPhase = 'running' | 'held' | 'failed' | 'undoing' | 'undoFailed';

export interface RunSituation<I extends Run, F> {
  readonly book: Runbook<I, F>;
  readonly phase: RunPhase;
  /** Steps that have begun, in order. */
  readonly begun: readonly Step<I, F>[];
  /** Step that runs, failed, or comes next. */
  readonly step: Step<I, F>;
}

const offered: Readonly<Record<RunPhase, readonly JobDecision[]>> = {
  running: ['finish', 'rollBack', 'hold'],
  held: ['finish', 'rollBack'],
  failed: ['retry', 'skip', 'rollBack'],
  undoing: [],
  undoFailed: ['retry', 'abandon'],
};

export function choices<I extends Run, F>(situation: RunSituation<I, F>): JobChoice[] {
  return offered[situation.phase]
    .filter((decision) => isPossible(situation, decision))
    .map((decision) => ({ decision, means: meaning(situation, decision) }));
}

export function isPastReturn<I extends Run, F>(begun: readonly Step<I, F>[]): boolean {
  return begun.some((step) => step.pointOfNoReturn === true);
}

function isPossible<I extends Run, F>({ begun, step }: RunSituation<I, F>, decision: JobDecision): boolean {
  if (decision === 'rollBack') return !isPastReturn(begun);
  if (decision === 'skip') return step.skip !== undefined;
  return true;
}

function meaning<I extends Run, F>(situation: RunSituation<I, F>, decision: JobDecision): string {
  const { book, step, phase } = situation;
  const meanings: Readonly<Record<JobDecision, () => string>> = {
    finish: () => book.finish,
    rollBack: () => rollBackMeans(situation.begun),
    hold: () => `Stops at "${step.name}" and waits. ${heldMeans(situation)}`,
    retry: () =>
      phase === 'undoFailed'
        ? 'The undo is tried again.'
        : 'The step runs again and finds what it has made already.',
    skip: () => step.skip ?? '',
    abandon: () =>
      'The job ends although something may be left; the same operation may be started again and finds it.',
    ...onlyOfPlans,
  };
  return meanings[decision]();
}

const never = () => '';
const onlyOfPlans = { approve: never, reject: never, keep: never };

function rollBackMeans<I extends Run, F>(begun: readonly Step<I, F>[]): string {
  const undone = begun.toReversed().flatMap((step) => (step.undo === undefined ? [] : [step.undo.means]));
  return undone.length === 0 ? 'Nothing was changed yet: the job ends.' : undone.join(' ');
}

function heldMeans<I extends Run, F>({ begun }: RunSituation<I, F>): string {
  return begun.findLast((step) => step.held !== undefined)?.held ?? 'Nothing was changed yet.';
}
