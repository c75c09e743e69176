/** Plays a run of a plan by the real workflow in virtual time: everything takes as long as the script says. */
import type { PlanRunKind, RecoveryPlan } from '../../../domain/plan/plan.ts';
import { workflowIds } from '../../../workflows/contracts/ids.ts';
import type { PlanRunInput, RunMember } from '../../../workflows/contracts/plan.ts';
import type { PlanStage } from './plan-stage.ts';

export interface PlayedPlan {
  readonly kind: PlanRunKind;
  readonly plan: RecoveryPlan;
  readonly members: readonly RunMember[];
  readonly more?: Partial<PlanRunInput>;
  /** By what was begun: `step dns`, `failover web-01`, `ready web-01`; a manual step is named as any other. */
  readonly ms: (what: string) => number;
}

interface Due {
  readonly atMs: number;
  readonly end: () => Promise<void> | void;
}

/** From the begin of the workflow to its end, in milliseconds of virtual time. */
export async function playInVirtualTime(stage: PlanStage, played: PlayedPlan): Promise<number> {
  const { kind, plan, members, ms, more } = played;
  const { driver } = stage;
  driver.taskMs = 0;
  const due: Due[] = [];
  const after = (what: string, end: Due['end']) => due.push({ atMs: driver.nowMs + ms(what), end });
  stage.fate = (what, call) => {
    if (call.name === 'operateMembers') after(what, () => stage.release(what));
    else if (call.name === 'runStep') after(what, () => driver.resolve(call));
    else return { kind: 'run' };
    return { kind: 'hold' };
  };
  const fromMs = driver.nowMs;
  await stage.run(kind, plan, members, more);
  const asked = new Set<string>();
  const id = workflowIds.planRun(plan.name);
  while (driver.ending(id) === undefined) {
    for (const taskId of await questionsOf(stage)) {
      if (asked.has(taskId)) continue;
      asked.add(taskId);
      after(taskId.replace(/^step-/, 'step '), async () => {
        await stage.decide('approve', { taskId });
      });
    }
    const nextMs = Math.min(...due.map(({ atMs }) => atMs), driver.nextTimerMs ?? Infinity);
    if (nextMs === Infinity) throw new Error('the run waits for nothing that will come');
    await driver.advance(nextMs - driver.nowMs);
    const over = due.filter(({ atMs }) => atMs <= driver.nowMs);
    due.splice(0, due.length, ...due.filter(({ atMs }) => atMs > driver.nowMs));
    for (const { end } of over) await end();
    await driver.settle();
  }
  return driver.nowMs - fromMs;
}

async function questionsOf(stage: PlanStage): Promise<string[]> {
  const { choices = [] } = await stage.job();
  return choices.flatMap(({ decision, taskId }) =>
    decision === 'approve' && taskId !== undefined ? [taskId] : [],
  );
}
