/**
 * The protected item: one entity workflow per machine, `protected-item/<id>`. Its id is the lock.
 *
 * Theory of operation. Before: nobody protects the machine. While it runs: the item's state, its drill, its way home,
 * its health conditions and one operation slot live here, in plain JSON; replication and the watches over it run beside
 * the main loop (lib/supervision.ts), in the direction the state asks for. After: protection could not be enabled, was
 * ended, or the machine has moved to Azure for good; it may be protected again under the same id.
 *
 * Commands are updates. A validator decides synchronously from the state table; the handler books the operation
 * into the slot and the caller gets its id at once. The main loop runs what is booked, one operation at a time, each as
 * a child workflow of its own (lib/operate.ts); what an operation is given and what the item holds after it are pure
 * functions (lib/item-runs.ts). A run asks with a signal to have replication stopped; when it has ended, replication
 * follows the state again, so that a failed failover does not leave the machine unprotected. Something more urgent
 * displaces what runs: a real failover does not wait for a rehearsal.
 *
 * Fencing: every session and every run that writes gets a session epoch from this workflow; an attempt of an older
 * epoch that still runs somewhere can no longer write, nor start the machine on either side.
 *
 * On a crash of a worker nothing is lost: Temporal replays. On a crash of Temporal everything waits. When a session
 * ends, the history grows or a new version of the workers asks for it, the workflow continues as new with its state as
 * soon as the slot is free.
 */
import {
  allHandlersFinished,
  CancellationScope,
  condition,
  makeContinueAsNewFunc,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import { asId } from '../domain/ids.ts';
import { isProtectionOver } from '../domain/protected-item.ts';
import {
  describeQuery,
  operateUpdate,
  protectUpdate,
  stopReplicationSignal,
  upgradeSignal,
} from './contracts/messages.ts';
import type { OperationAccepted, OperationRequest, ProtectInput } from './contracts/types.ts';
import { resyncIsDue } from './lib/auto-resync.ts';
import { enableProtection } from './lib/enable.ts';
import { refusal } from './lib/failures.ts';
import { newRecord, upgraded, type ItemRecord, type ItemRecordV1 } from './lib/item-state.ts';
import { ItemStore } from './lib/item-store.ts';
import { now } from './lib/job-log.ts';
import { operate, tellDisplaced, type Booked } from './lib/operate.ts';
import { Supervision } from './lib/supervision.ts';

/**
 * Continue as new early: a worker that is started again plays the history of every machine that moves, some 2,000
 * events a second, one after another, and Temporal gives each of its workflow tasks ten seconds.
 */
const HISTORY_EVENTS_MAX = 500;

export interface ProtectedItemInput {
  /** Present after continue-as-new. */
  readonly record?: ItemRecord | ItemRecordV1;
}

export async function protectedItem(input: ProtectedItemInput): Promise<void> {
  let store = input.record === undefined ? undefined : new ItemStore(upgraded(input.record));
  let booked: Booked | undefined;
  let renewal = false;
  let upgradeAsked = false;
  let stopAsked = false;
  let homeSeen = false;
  let protecting: CancellationScope | undefined;

  // ------------------------------------------------------------ messages

  const known = (): ItemStore => {
    if (store === undefined) throw refusal('DR_ITEM_UNKNOWN', { item: workflowInfo().workflowId });
    return store;
  };
  const book = (request: OperationRequest): OperationAccepted => {
    const { operation, operationId } = request;
    const permission = known().permit(operation);
    if (booked !== undefined) void tellDisplaced(known(), booked.request);
    booked = { request, permission };
    known().booked = { operation, operationId };
    if (operation === 'disable') protecting?.cancel();
    known().change({});
    return { operationId };
  };
  setHandler(
    protectUpdate,
    (protect: ProtectInput): OperationAccepted => {
      // Epochs must grow over every run of this id, ended ones included; workflow time does.
      store = new ItemStore(newRecord(protect, Math.floor(Date.now() / 1_000)));
      store.running = { operation: 'protect', operationId: protect.operationId };
      store.change({});
      return { operationId: protect.operationId };
    },
    {
      validator: (protect) => {
        if (store !== undefined)
          throw refusal('DR_MACHINE_ALREADY_PROTECTED', { machine: protect.machineName });
      },
    },
  );
  setHandler(operateUpdate, book, {
    validator: ({ operation }) => void known().permit(operation),
  });
  setHandler(describeQuery, () => known().view());
  setHandler(stopReplicationSignal, () => {
    stopAsked = true;
  });
  setHandler(upgradeSignal, () => {
    upgradeAsked = true;
  });

  // An update-with-start whose update was refused leaves a run that nobody configured: it ends by itself.
  await condition(() => store !== undefined, '1 minute');
  if (store === undefined) return;
  const item: ItemStore = store;

  const supervision = new Supervision(item, {
    onSessionEnded: () => {
      renewal = true;
    },
    onQuarter: () => bookDueResync(item, book),
    onHomeSeen: () => {
      homeSeen = true;
    },
  });

  // ------------------------------------------------------------ main loop

  if (item.running?.operation === 'protect') {
    protecting = new CancellationScope();
    const enabled = await protecting.run(() => enableProtection(item, supervision));
    protecting = undefined;
    item.running = undefined;
    // Ended by `disable`, which runs next.
    if (booked === undefined) {
      item.change(enabled ? { state: 'protected', protectedSince: now() } : { state: 'enablingFailed' });
    }
  } else {
    // The catalogue may have missed the end of the run before.
    item.change({});
  }
  if (booked === undefined) await supervision.follow();

  const isQuiet = () => booked === undefined;
  const isToMove = () => upgradeAsked || workflowInfo().targetWorkerDeploymentVersionChanged;
  for (;;) {
    if (isProtectionOver(item.record.state) && isQuiet()) {
      await supervision.end();
      await item.settled();
      await condition(allHandlersFinished);
      return;
    }
    await condition(
      () =>
        !isQuiet() || renewal || homeSeen || isToMove() || workflowInfo().historyLength > HISTORY_EVENTS_MAX,
    );
    if (homeSeen) {
      homeSeen = false;
      await supervision.follow();
      continue;
    }
    if (isQuiet()) {
      await supervision.end();
      await item.settled();
      await condition(allHandlersFinished);
      if (isQuiet()) await renew(item.record, isToMove());
      renewal = false;
      await supervision.follow();
    }
    const next = booked;
    if (next === undefined) continue;
    booked = undefined;
    stopAsked = false;
    item.running = item.booked;
    item.booked = undefined;
    await operate(item, next, supervision, {
      isStopAsked: () => stopAsked,
      takeStopAsked: () => {
        stopAsked = false;
      },
      isDisplaced: () => booked?.permission.displaces === true,
    });
    item.running = undefined;
    item.change({});
    if (isQuiet()) await supervision.follow();
  }
}

/** The next run stays on the build of this one, unless the item is to move to the current build. */
function renew(record: ItemRecord, isToMove: boolean): Promise<never> {
  const next = makeContinueAsNewFunc<typeof protectedItem>(
    isToMove ? { initialVersioningBehavior: 'AUTO_UPGRADE' } : {},
  );
  return next({ record });
}

/** A resync that the policy lets begin by itself, at most one at a time: the slot sees to that. */
function bookDueResync(item: ItemStore, book: (request: OperationRequest) => unknown): void {
  const { spec, conditions } = item.record;
  if (spec === undefined || item.running !== undefined || item.booked !== undefined) return;
  if (!resyncIsDue(conditions, spec.policy, Date.now())) return;
  const requestId = `resync-${item.nextSessionEpoch()}`;
  try {
    book({
      operation: 'resync',
      operationId: asId(requestId),
      requestedBy: { principal: 'policy', requestId },
    });
  } catch {
    // Not possible in this state: asked again in a quarter of an hour.
  }
}
