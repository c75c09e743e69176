/** Takes back what a run has begun, newest first. */
import { jobError } from '../failures.ts';
import { now, wasSkipped, type SkippedTask, type TaskLog } from '../job-log.ts';
import type { Undoable } from './book.ts';
import type { PlanContext } from './context.ts';
import { askAboutFailure } from './tries.ts';

/** False: something was left. */
export async function rollBack(context: PlanContext): Promise<boolean> {
  context.desk.beginUndoing();
  let isWhole = true;
  for (const batch of context.book.owed()) {
    const undone = await Promise.all(batch.map((undoable) => undo(context, undoable)));
    isWhole &&= undone.every(Boolean);
  }
  return isWhole;
}

/** One that fails waits for an operator; unattended, it is left and told. False: it was left. */
async function undo(context: PlanContext, undoable: Undoable): Promise<boolean> {
  const { id, name } = undoable;
  const work = async (log: TaskLog): Promise<string | SkippedTask> => {
    for (;;) {
      const startedAt = now();
      try {
        return await undoable.run();
      } catch (error) {
        context.book.tried({ taskId: id, startedAt, endedAt: now(), error: jobError(error) });
        if (context.input.unattended === true) throw error;
        const left = await askAfter(context, undoable, log, error);
        if (left !== undefined) return left;
      }
    }
  };
  try {
    const done = await context.log.step(id, name, work, (detail) =>
      wasSkipped(detail) ? detail.skipped : detail,
    );
    return !wasSkipped(done);
  } catch (error) {
    context.fail(error);
    return false;
  }
}

/** Undefined: it is to be tried again. */
async function askAfter(
  { desk }: PlanContext,
  undoable: Undoable,
  log: TaskLog,
  failure: unknown,
): Promise<SkippedTask | undefined> {
  const answer = await askAboutFailure(desk, undoable, log, failure, [
    { decision: 'retry', means: 'The undo is tried again.' },
    { decision: 'abandon', means: 'It is left as it is; the rest is taken back.' },
  ]);
  return answer?.decision === 'abandon' ? { skipped: `left as it is: ${answer.reason}` } : undefined;
}
