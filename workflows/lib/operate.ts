/** Runs one booked operation of an item: its run as a child workflow, and what the item holds before and after. */
import { condition, executeChild, getExternalWorkflowHandle, ParentClosePolicy } from '@temporalio/workflow';
import type { Condition } from '../../domain/health.ts';
import type { Permission } from '../../domain/protected-item.ts';
import { workflowIds } from '../contracts/ids.ts';
import { giveWaySignal, replicationStoppedSignal } from '../contracts/messages.ts';
import type { OperationRequest } from '../contracts/types.ts';
import { jobError } from './failures.ts';
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
  /** The run has asked for replication to stop; true once for each time it asked. */
  takeStopAsked(): boolean;
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
  const { request, permission } = booked;
  const { spec } = store.record;
  if (spec === undefined) return endWithoutMachine(store, request);
  store.clear(failedType(request.operation));
  store.change(changesAtStart(store.record, request, permission));
  await supervision.followHome();
  const { workflow, input } = plannedRun(store.record, spec, request);
  const workflowId = workflowIds.run(spec.itemId, request.operationId);
  let outcome: Outcome | undefined;
  const running = executeChild<(run: typeof input) => Promise<Outcome>>(workflow, {
    workflowId,
    args: [input],
    // An entity that is ended by force must not leave a run that waits for its answers.
    parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
  })
    .catch((error: unknown): Outcome => ({ ended: 'lost', facts: {}, error: jobError(error) }))
    .then((ended) => {
      outcome = ended;
    });
  const run = getExternalWorkflowHandle(workflowId);
  let toldToGiveWay = false;
  while (outcome === undefined) {
    await condition(
      () =>
        outcome !== undefined ||
        interruptions.takeStopAsked() ||
        (interruptions.isDisplaced() && !toldToGiveWay),
    );
    if (outcome !== undefined) break;
    if (interruptions.isDisplaced() && !toldToGiveWay) {
      toldToGiveWay = true;
      await run.signal(giveWaySignal).catch(() => undefined);
      continue;
    }
    await supervision.stop();
    const sessionEpoch = store.nextSessionEpoch();
    // A run that has ended in the meantime needs no answer.
    await run.signal(replicationStoppedSignal, { sessionEpoch }).catch(() => undefined);
  }
  await running;
  settle(store, booked, outcome);
}

function settle(store: ItemStore, { request, permission }: Booked, outcome: Outcome | undefined): void {
  if (outcome === undefined) return;
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

/** Only `disable` is possible before the machine was checked, and then nothing was made anywhere. */
async function endWithoutMachine(store: ItemStore, request: OperationRequest): Promise<void> {
  const { itemId, machineName } = store.record.protect;
  const log = jobLog({
    id: request.operationId,
    kind: request.operation,
    itemId,
    machineName,
    requestedBy: request.requestedBy.principal,
  });
  store.change({ state: 'disabled' });
  await log.succeed({});
}
