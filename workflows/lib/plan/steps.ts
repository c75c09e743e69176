/** The steps around a run, a group or a machine. */
import { isCancellation } from '@temporalio/workflow';
import type { PlanStep, StepAction } from '../../../domain/plan/plan.ts';
import type { StepResult } from '../../contracts/plan.ts';
import { jobError } from '../failures.ts';
import { now, wasSkipped, type TaskLog } from '../job-log.ts';
import { topLevel, type PlanContext } from './context.ts';
import { runStep } from './step-run.ts';
import { untilDone, type Part } from './tries.ts';

/** Those that take part in runs of this kind, one after the other. */
export async function playSteps(
  context: PlanContext,
  steps: readonly PlanStep[],
  where: string,
  below: TaskLog,
): Promise<void> {
  const { kind } = context.input;
  for (const step of steps) if (step.when.includes(kind)) await playStep(context, step, where, below);
}

const OTHER_UNDONE = "the plan's undo; the step had done something else";

const words = ({ detail }: StepResult) => detail;

async function playStep(context: PlanContext, step: PlanStep, where: string, below: TaskLog): Promise<void> {
  const { book } = context;
  const { name, isCritical, does } = step;
  const taskId = `step-${name}`;
  const startedAt = now();
  let action = does;
  const told = () => ({ taskId, step: name, where, action: action.kind, startedAt, endedAt: now() });
  let isOwed = false;
  const attempt = (log: TaskLog, instead?: StepAction) => {
    if (!isOwed) oweUndo(context, step, { where, didOther: () => action !== does });
    isOwed = true;
    action = instead ?? does;
    return runStep(step, action, context, { taskId, log });
  };
  const part: Part = {
    id: taskId,
    name,
    skip: 'The run goes on without this step.',
    isStep: true,
    approvers: does.kind === 'manual' ? does.approvers : [],
  };
  try {
    const { done } = isCritical
      ? await untilDone(context, part, below, (_number, log, instead) => attempt(log, instead), words)
      : { done: await noted(context, part, below, (log) => attempt(log)) };
    const result = wasSkipped(done) ? { detail: done.skipped, observed: {} } : done;
    book.steps.push({ ...told(), ...result, outcome: wasSkipped(done) ? 'skipped' : 'succeeded' });
  } catch (error) {
    const known = jobError(error);
    const detail = known.message;
    book.steps.push({ ...told(), outcome: 'failed', detail, observed: {}, error: known });
    if (isCritical || isCancellation(error)) throw error;
  }
}

/** A failure is told and nothing more. */
async function noted(
  { desk, book }: PlanContext,
  { id, name }: Pick<Part, 'id' | 'name'>,
  below: TaskLog,
  attempt: (log: TaskLog) => Promise<StepResult>,
): Promise<StepResult> {
  await desk.pass();
  const startedAt = now();
  try {
    return await below.task(id, name, attempt, words);
  } catch (error) {
    if (!isCancellation(error)) {
      book.tried({ taskId: id, startedAt, endedAt: now(), error: jobError(error) });
    }
    throw error;
  }
}

interface Begun {
  readonly where: string;
  /** Something else than the plan says, which the plan's undo does not know. */
  readonly didOther: () => boolean;
}

function oweUndo(context: PlanContext, step: PlanStep, { where, didOther }: Begun): void {
  const { undo, name } = step;
  if (undo === undefined) return;
  const id = `undo-step-${name}`;
  context.book.owe({
    id,
    name: `Undo ${name}`,
    async run() {
      const startedAt = now();
      const result = await runStep(step, undo, context, { taskId: id, log: topLevel(context) });
      const { observed } = result;
      const detail = didOther() ? `${OTHER_UNDONE}: ${result.detail}` : result.detail;
      const told = { taskId: id, step: name, where, action: undo.kind, startedAt, endedAt: now() };
      context.book.steps.push({ ...told, outcome: 'undone', detail, observed });
      return detail;
    },
  });
}
