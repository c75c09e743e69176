/** Trying a part of the run until it succeeds, somebody skips it, or the run is to end. */
import { isCancellation } from '@temporalio/workflow';
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
}

/** @throws CancelledFailure when the run ends, and what it failed with when nobody is there to decide */
export async function untilDone<T>(
  context: PlanContext,
  part: Part,
  below: TaskLog,
  attempt: (number: number, log: TaskLog) => Promise<T>,
  words: (result: T) => string,
): Promise<{ readonly done: T | SkippedTask }> {
  await context.desk.pass();
  const work = async (log: TaskLog): Promise<T | SkippedTask> => {
    for (let number = 1; ; number += 1) {
      const startedAt = now();
      try {
        return await attempt(number, log);
      } catch (error) {
        if (isCancellation(error)) throw error;
        context.book.tried({ taskId: part.id, startedAt, endedAt: now(), error: jobError(error) });
        const skipped = await askAfter(context, part, log, error);
        if (skipped !== undefined) return skipped;
      }
    }
  };
  const done = await below.task(part.id, part.name, work, (result) =>
    wasSkipped(result) ? result.skipped : words(result),
  );
  return { done };
}

/** Undefined: it is to be tried again. */
async function askAfter(
  context: PlanContext,
  { id, name, skip }: Part,
  log: TaskLog,
  error: unknown,
): Promise<SkippedTask | undefined> {
  const { input, desk } = context;
  if (input.unattended === true) {
    context.fail(error);
    desk.end(undoOfMove[input.kind] === null ? 'keep' : 'rollBack');
    throw error;
  }
  const answer = await askAboutFailure(desk, { id, name }, log, error, [
    { decision: 'retry', means: `"${name}" is tried again.` },
    { decision: 'skip', means: skip },
  ]);
  if (answer?.decision !== 'skip') return undefined;
  return { skipped: `skipped by ${answer.requestedBy.principal}: ${answer.reason}` };
}

/** The task shows what it failed with until somebody has decided. */
export async function askAboutFailure(
  desk: Desk,
  { id, name }: Pick<Part, 'id' | 'name'>,
  log: TaskLog,
  failure: unknown,
  choices: readonly JobChoice[],
): Promise<PlanDecision | undefined> {
  const error = jobError(failure);
  log.wait(error);
  const answer = await desk.ask({ taskId: id, name, error, approvers: [], choices });
  log.goOn();
  return answer;
}
