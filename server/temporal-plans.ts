/** Runs of recovery plans as they are reached through a Temporal client. */
import { setTimeout as sleep } from 'node:timers/promises';
import {
  WorkflowExecutionAlreadyStartedError,
  WorkflowFailedError,
  WorkflowUpdateFailedError,
  type Client,
  type WorkflowHandle,
} from '@temporalio/client';
import { DrError } from '../domain/errors.ts';
import type { OperationId, ProtectedItemId } from '../domain/ids.ts';
import { isJobOver, type Job } from '../domain/job.ts';
import { workflowIds } from '../workflows/contracts/ids.ts';
import {
  atTurnUpdate,
  decidePlanUpdate,
  jobQuery,
  turnUpdate,
  workflowTypes,
} from '../workflows/contracts/messages.ts';
import type { PlanDecision, PlanRunInput } from '../workflows/contracts/plan.ts';
import type { RunOutcome } from '../workflows/contracts/runs.ts';
import { taskQueues } from '../workflows/contracts/task-queues.ts';
import type { OperationAccepted } from '../workflows/contracts/types.ts';
import type { temporalCalls } from './temporal-calls.ts';
import { isTimeout } from './temporal-error.ts';

const CLOSED_WITHIN_MS = 8_000;
const CLOSE_LOOK_MS = 100;

export interface PlanRunbooks {
  /** A repeated call with the same run id is the same run. @throws DR_PLAN_RUNNING */
  runPlan(input: PlanRunInput): Promise<void>;
  /** @throws DR_JOB_OVER, DR_DECISION_REFUSED, DR_APPROVER_UNKNOWN */
  decidePlan(plan: string, decision: PlanDecision): Promise<OperationAccepted>;
  /** The job of the plan's newest run. @throws DR_JOB_UNKNOWN when it is another one */
  describePlanJob(plan: string, job: OperationId): Promise<Job>;
  /** How the operation's run ended; null: it has not within `withinMs`. @throws DR_JOB_UNKNOWN: there is no such run */
  runOutcome(
    item: ProtectedItemId,
    operation: OperationId,
    withinMs: number,
  ): Promise<RunOutcome<Readonly<Record<string, unknown>>> | null>;
  /** False: it does not wait for its turn within `withinMs`. @throws DR_JOB_UNKNOWN: there is no such run, or it has ended */
  isAtTurn(item: ProtectedItemId, operation: OperationId, withinMs: number): Promise<boolean>;
  /** To a run that waits for its turn; one that does not is not bothered. @throws DR_JOB_UNKNOWN */
  tellTurn(item: ProtectedItemId, operation: OperationId, comes: boolean): Promise<void>;
}

type Calls = ReturnType<typeof temporalCalls>;

export function planRunbooks(client: Client, temporal: Calls, lookMs: number): PlanRunbooks {
  const jobOf = (plan: string, job: OperationId) =>
    temporal.to(
      workflowIds.planRun(plan),
      { code: 'DR_JOB_UNKNOWN', context: { job } },
      (handle) => handle.query(jobQuery),
      lookMs,
    );

  /** False: a run of the plan is there already. */
  const begin = async (input: PlanRunInput): Promise<boolean> => {
    try {
      await temporal.bounded(() =>
        client.workflow.start(workflowTypes.planRun, {
          workflowId: workflowIds.planRun(input.plan.name),
          taskQueue: taskQueues.control,
          args: [input],
          workflowIdConflictPolicy: 'FAIL',
        }),
      );
      return true;
    } catch (error) {
      if (hasBegun(error)) return false;
      throw error;
    }
  };

  return {
    async runPlan(input) {
      const { runId, plan } = input;
      const before = Date.now() + CLOSED_WITHIN_MS;
      while (!(await begin(input))) {
        const { id, state } = await jobOf(plan.name, runId);
        if (id === runId) return;
        // Its job is over and it is about to be: whoever watched the job may ask for the next run at once.
        const isClosing = isJobOver(state) && Date.now() < before;
        if (!isClosing) throw new DrError('DR_PLAN_RUNNING', { plan: plan.name, job: id });
        await sleep(CLOSE_LOOK_MS);
      }
    },

    decidePlan: (plan, decision) =>
      temporal.to(
        workflowIds.planRun(plan),
        { code: 'DR_JOB_OVER', context: { job: decision.job, state: 'has ended' } },
        (handle) => handle.executeUpdate(decidePlanUpdate, { args: [decision] }),
      ),

    async describePlanJob(plan, job) {
      const told = await jobOf(plan, job);
      if (told.id !== job) throw new DrError('DR_JOB_UNKNOWN', { job });
      return told;
    },

    runOutcome: (item, operation, withinMs) =>
      temporal.to(
        workflowIds.run(item, operation),
        { code: 'DR_JOB_UNKNOWN', context: { job: operation } },
        async (handle) => {
          if (withinMs > 0) return endOf(client, handle, withinMs);
          const { status } = await handle.describe();
          return status.name === 'RUNNING' ? null : endOf(client, handle, lookMs);
        },
        withinMs + lookMs * 2,
      ),

    isAtTurn: (item, operation, withinMs) =>
      temporal.to(
        workflowIds.run(item, operation),
        { code: 'DR_JOB_UNKNOWN', context: { job: operation } },
        (handle) => comesToTurn(client, handle, withinMs),
        withinMs + lookMs,
      ),

    tellTurn: (item, operation, comes) =>
      temporal.to(
        workflowIds.run(item, operation),
        { code: 'DR_JOB_UNKNOWN', context: { job: operation } },
        async (handle) => {
          // Told again it is the same update: the run hears of it once.
          const updateId = comes ? 'turn-comes' : 'turn-never-comes';
          await handle.executeUpdate(turnUpdate, { updateId, args: [{ comes }] });
        },
      ),
  };
}

/** Every look is the same update: the run answers one. */
async function comesToTurn(client: Client, handle: WorkflowHandle, withinMs: number): Promise<boolean> {
  try {
    await client.withDeadline(Date.now() + withinMs, () =>
      handle.executeUpdate(atTurnUpdate, { updateId: 'at-turn' }),
    );
    return true;
  } catch (error) {
    // It failed because the run has ended: the next look finds none.
    if (isTimeout(error) || error instanceof WorkflowUpdateFailedError) return false;
    throw error;
  }
}

/** Null: it goes on. A run that was ended by force says nothing of what it has left. */
async function endOf(
  client: Client,
  handle: WorkflowHandle,
  withinMs: number,
): Promise<RunOutcome<Readonly<Record<string, unknown>>> | null> {
  try {
    return (await client.withDeadline(Date.now() + withinMs, () => handle.result())) as RunOutcome<
      Readonly<Record<string, unknown>>
    >;
  } catch (error) {
    if (isTimeout(error)) return null;
    if (!(error instanceof WorkflowFailedError)) throw error;
    const { code, message, remedy } = new DrError('DR_INTERNAL', {
      reason: 'the run was ended from outside',
    });
    return { ended: 'lost', facts: {}, error: { code, message, remedy } };
  }
}

function hasBegun(error: unknown): boolean {
  const causes = [error, (error as Error).cause];
  return causes.some((each) => each instanceof WorkflowExecutionAlreadyStartedError);
}
