/** Runs one booked operation of an item: its run as a child workflow, and what the item holds before and after. */
import { condition, ParentClosePolicy, startChild, type ChildWorkflowHandle } from '@temporalio/workflow';
import type { Condition } from '../../domain/health.ts';
import type { Permission } from '../../domain/protected-item.ts';
import { workflowIds } from '../contracts/ids.ts';
import { giveWaySignal, replicationStoppedSignal } from '../contracts/messages.ts';
import type { Run } from '../contracts/runs.ts';
import type { OperationRequest } from '../contracts/types.ts';
import { jobError, refusal } from './failures.ts';
import { changesAtEnd, changesAtStart, plannedRun, type Outcome } from './item-runs.ts';
import type { ItemStore } from './item-store.ts';
import { jobLog, now } from './job-log.ts';
import type { Supervision } from './supervision.ts';

export interface Booked {
  readonly request: OperationRequest;
  readonly permission: Permission;
}

/** How a running operation hears of the entity's messages. */
export interface Interruptions {
  /** The run has asked for replication to stop. */
  isStopAsked(): boolean;
  takeStopAsked(): void;
  /** Something more urgent is booked. */
  isDisplaced(): boolean;
}

/** Ends with the item in a state that has a next operation. */
export async function operate(
  store: ItemStore,
  booked: Booked,
  supervision: Supervision,
  interruptions: Interruptions,
): Promise<void> {
  const { request } = booked;
  const { spec, state } = store.record;
  // What it displaced may have moved the item since it was booked.
  const permission = { ...booked.permission, undone: state };
  if (spec === undefined) return endWithoutMachine(store, request);
  store.clear(failedType(request.operation));
  store.change(changesAtStart(store.record, request, permission));
  await supervision.followHome();
  const { workflow, input } = plannedRun(store.record, spec, request);
  const workflowId = workflowIds.run(spec.itemId, request.operationId);
  const outcome = await runToEnd({ workflow, workflowId, input }, (run) =>
    attend(store, supervision, interruptions, run),
  );
  settle(store, { request, permission }, outcome);
}

interface Attended {
  isOver(): boolean;
  signal: ChildWorkflowHandle<(run: Run) => Promise<Outcome>>['signal'];
}

/** Signals reach a run only once it has started; a run that was ended from outside says nothing of what it left. */
async function runToEnd(
  run: { readonly workflow: string; readonly workflowId: string; readonly input: Run },
  attended: (run: Attended) => Promise<void>,
): Promise<Outcome> {
  try {
    const child = await startChild<(input: Run) => Promise<Outcome>>(run.workflow, {
      workflowId: run.workflowId,
      args: [run.input],
      // An entity that is ended by force must not leave a run that waits for its answers.
      parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
    });
    let isOver = false;
    const ending = child.result().finally(() => {
      isOver = true;
    });
    // Awaited below; a failure must not count as unhandled until then.
    ending.catch(() => undefined);
    await attended({ isOver: () => isOver, signal: (...message) => child.signal(...message) });
    return await ending;
  } catch (error) {
    return { ended: 'lost', facts: {}, error: jobError(error) };
  }
}

/** Answers a run until it is over: replication stops when it asks, and it gives way when something is more urgent. */
async function attend(
  store: ItemStore,
  supervision: Supervision,
  interruptions: Interruptions,
  run: Attended,
): Promise<void> {
  let toldToGiveWay = false;
  const mustGiveWay = () => interruptions.isDisplaced() && !toldToGiveWay;
  for (;;) {
    await condition(() => run.isOver() || interruptions.isStopAsked() || mustGiveWay());
    if (run.isOver()) return;
    // A run that has ended in the meantime needs no answer.
    if (mustGiveWay()) {
      toldToGiveWay = true;
      await run.signal(giveWaySignal).catch(() => undefined);
    } else {
      interruptions.takeStopAsked();
      await supervision.stop();
      const sessionEpoch = store.nextSessionEpoch();
      await run.signal(replicationStoppedSignal, { sessionEpoch }).catch(() => undefined);
    }
  }
}

function settle(store: ItemStore, { request, permission }: Booked, outcome: Outcome): void {
  store.change(changesAtEnd(store.record, request, permission, { outcome, at: now() }));
  const trouble = failure(request.operation, outcome);
  if (trouble !== undefined) store.raise(trouble);
}

/** A run that stopped at its prerequisites has changed nothing: its job says why. */
function failure(operation: OperationRequest['operation'], outcome: Outcome): Condition | undefined {
  if (outcome.ended === 'succeeded' || outcome.error === undefined) return undefined;
  if (outcome.ended === 'undone' && outcome.refused) return undefined;
  const { message, remedy } = outcome.error;
  const ending = outcome.ended === 'undone' ? 'was undone' : 'did not end';
  return {
    type: failedType(operation),
    category: 'warning',
    reason: `the last ${operation} ${ending}: ${message}`,
    suggestion: remedy,
    since: now(),
  };
}

function failedType(operation: string): string {
  return `DR_HEALTH_OPERATION_FAILED:${operation}`;
}

/** An operation that was accepted and had not begun when something more urgent came: its job says so. */
export async function tellDisplaced(store: ItemStore, request: OperationRequest): Promise<void> {
  await logOf(store, request).fail(refusal('DR_RUN_DISPLACED', { job: request.operationId }));
}

function logOf(store: ItemStore, request: OperationRequest) {
  const { itemId, machineName } = store.record.protect;
  return jobLog({
    id: request.operationId,
    kind: request.operation,
    itemId,
    subject: machineName,
    requestedBy: request.requestedBy.principal,
  });
}

/** Only `disable` is possible before the machine was checked, and then nothing was made anywhere. */
async function endWithoutMachine(store: ItemStore, request: OperationRequest): Promise<void> {
  const log = logOf(store, request);
  store.change({ state: 'disabled' });
  await log.succeed({});
}
