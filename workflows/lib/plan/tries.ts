/** Trying a part of the run until it succeeds, somebody skips it, or the run is to end. */
import { isCancellation } from '@temporalio/workflow';
import type { StepAction } from '../../../domain/plan/plan.ts';
import type { JobChoice } from '../../../domain/job.ts';
import { undoOfMove } from '../../../domain/plan/member-move.ts';
import type { PlanDecision } from '../../contracts/plan.ts';
import { jobError } from '../failures.ts';
import { now, wasSkipped, type SkippedTask, type TaskLog } from '../job-log.ts';
import type { PlanContext } from './context.ts';
import type { Desk } from './desk.ts';

export interface Part {
  /** Of its task. */
  readonly id: string;
  readonly name: string;
  /** What going on without it means. */
  readonly skip: string;
  /** A retry may come with another action. */
  readonly isStep?: true;
  /** Principals that decide about it; absent or empty: anybody. */
  readonly approvers?: readonly string[];
}

/** @throws CancelledFailure when the run ends, and what it failed with when nobody is there to decide */
export async function untilDone<T>(
  context: PlanContext,
  part: Part,
  below: TaskLog,
  attempt: (number: number, log: TaskLog, instead?: StepAction) => Promise<T>,
  words: (result: T) => string,
): Promise<{ readonly done: T | SkippedTask }> {
  await context.desk.pass();
  const work = async (log: TaskLog): Promise<T | SkippedTask> => {
    let instead: StepAction | undefined;
    for (let number = 1; ; number += 1) {
      const startedAt = now();
      try {
        return await attempt(number, log, instead);
      } catch (error) {
        if (isCancellation(error)) throw error;
        context.book.tried({ taskId: part.id, startedAt, endedAt: now(), error: jobError(error) });
        const { skipped, action = instead } = await askAfter(context, part, log, error);
        if (skipped !== undefined) return { skipped };
        instead = action;
      }
    }
  };
  const done = await below.task(part.id, part.name, work, (result) =>
    wasSkipped(result) ? result.skipped : words(result),
  );
  return { done };
}

/** Unless it is skipped it is to be tried again. */
async function askAfter(
  context: PlanContext,
  part: Part,
  log: TaskLog,
  error: unknown,
): Promise<Partial<SkippedTask> & Pick<PlanDecision, 'action'>> {
  const { name, skip } = part;
  const { input, desk } = context;
  if (input.unattended === true) {
    context.fail(error);
    // What can be cleaned up is; the run fails in the end.
    if (input.kind === 'cleanup') return { skipped: `left: ${jobError(error).message}` };
    desk.end(undoOfMove[input.kind] === null ? 'keep' : 'rollBack');
    throw error;
  }
  const answer = await askAboutFailure(desk, part, log, error, [
    { decision: 'retry', means: `"${name}" is tried again.` },
    { decision: 'skip', means: skip },
  ]);
  if (answer?.decision !== 'skip') return answer?.action === undefined ? {} : { action: answer.action };
  return { skipped: `skipped by ${answer.requestedBy.principal}: ${answer.reason}` };
}

/** The task shows what it failed with until somebody has decided. */
export async function askAboutFailure(
  desk: Desk,
  { id, name, isStep, approvers = [] }: Omit<Part, 'skip'>,
  log: TaskLog,
  failure: unknown,
  choices: readonly JobChoice[],
): Promise<PlanDecision | undefined> {
  const error = jobError(failure);
  log.wait(error);
  const answer = await desk.ask({
    taskId: id,
    name,
    error,
    approvers,
    choices,
    ...(isStep === undefined ? {} : { isStep }),
  });
  log.goOn();
  return answer;
}
