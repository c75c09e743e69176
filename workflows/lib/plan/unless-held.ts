/** A run of a plan as part of something longer: its workflow id is the plan's lock. */
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import { startChild } from '@temporalio/workflow';
import { workflowIds } from '../../contracts/ids.ts';
import type { PlanRunInput, PlanRunOutcome } from '../../contracts/plan.ts';
import { planRun } from '../../plan-run.ts';

/** Null: another run holds the plan, and nothing was begun. */
export async function runUnlessHeld(input: PlanRunInput): Promise<PlanRunOutcome | null> {
  const workflowId = workflowIds.planRun(input.plan.name);
  try {
    const run = await startChild(planRun, { workflowId, args: [input] });
    return await run.result();
  } catch (error) {
    if (error instanceof WorkflowExecutionAlreadyStartedError) return null;
    throw error;
  }
}
