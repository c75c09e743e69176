/**
 * The protected item: one entity workflow per machine, `protected-item/<id>`. Its id is the lock.
 *
 * Theory of operation. Before: nobody protects the machine. While it runs: the item's state, its drill, its health
 * conditions and one operation slot live here, in plain JSON; replication runs as two sessions (lib/replication.ts)
 * that this workflow starts, cancels and restarts but never looks into. After: protection could not be enabled, or
 * was ended by `disable`; the machine may be protected again under the same id.
 *
 * Commands are updates. A validator decides synchronously from the state table; the handler books the operation
 * into the slot and the caller gets its id at once. The main loop runs what is booked, one operation at a time,
 * drills and failovers as child workflows of their own (lib/operations.ts). During a drill replication goes on;
 * a real failover asks with a signal to have it stopped, and when it fails with nothing left in Azure, replication
 * starts again: a failed failover must not leave the machine unprotected.
 *
 * Fencing: every session and every failover gets a session epoch from this workflow; an attempt of an older epoch
 * that still runs somewhere can no longer write.
 *
 * On a crash of a worker nothing is lost: Temporal replays. On a crash of Temporal everything waits. When a session
 * ends or the history grows, the workflow continues as new with its state as soon as the slot is free.
 */
import {
  allHandlersFinished,
  CancellationScope,
  condition,
  continueAsNew,
  isCancellation,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import { isProtectionOver, type ItemOperation } from '../domain/protected-item.ts';
import {
  cleanupTestFailoverUpdate,
  commitUpdate,
  describeQuery,
  disableUpdate,
  failoverUpdate,
  protectUpdate,
  stopReplicationSignal,
  testFailoverUpdate,
} from './contracts/messages.ts';
import type {
  CleanupInput,
  CommitInput,
  DisableInput,
  FailoverInput,
  OperationAccepted,
  ProtectInput,
  TestFailoverInput,
} from './contracts/types.ts';
import { enableProtection } from './lib/enable.ts';
import { refusal } from './lib/failures.ts';
import { newRecord, type ItemRecord } from './lib/item-state.ts';
import { ItemStore } from './lib/item-store.ts';
import { now } from './lib/job-log.ts';
import { runOperation, type Booked, type ReplicationControl } from './lib/operations.ts';
import { replication, type Replication } from './lib/replication.ts';
import { watchRpo } from './lib/rpo-watch.ts';

/** Continue as new well before Temporal's own suggestion at 4,096 events. */
const HISTORY_EVENTS_MAX = 3_000;

export interface ProtectedItemInput {
  /** Present after continue-as-new. */
  readonly record?: ItemRecord;
}

export async function protectedItem(input: ProtectedItemInput): Promise<void> {
  let store = input.record === undefined ? undefined : new ItemStore(input.record);
  let booked: Booked | undefined;
  let sessions: Replication | undefined;
  let sessionEnded = false;
  let stopAsked = false;
  let protecting: CancellationScope | undefined;
  let rpoWatch: CancellationScope | undefined;

  // ------------------------------------------------------------ messages

  const known = (): ItemStore => {
    if (store === undefined) throw refusal('DR_ITEM_UNKNOWN', { item: workflowInfo().workflowId });
    return store;
  };
  const book = (next: Booked): OperationAccepted => {
    const { operationId } = next.input;
    booked = next;
    known().running = { operation: next.operation, operationId };
    known().change({});
    return { operationId };
  };
  const onlyIfAllowed = <T>(operation: ItemOperation) => ({
    validator: (_data: T) => known().refuseUnlessAllowed(operation),
  });
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
  setHandler(
    testFailoverUpdate,
    (data: TestFailoverInput) => book({ operation: 'testFailover', input: data }),
    onlyIfAllowed<TestFailoverInput>('testFailover'),
  );
  setHandler(
    cleanupTestFailoverUpdate,
    (data: CleanupInput) => book({ operation: 'cleanupTestFailover', input: data }),
    onlyIfAllowed<CleanupInput>('cleanupTestFailover'),
  );
  setHandler(
    failoverUpdate,
    (data: FailoverInput) => book({ operation: 'failover', input: data }),
    onlyIfAllowed<FailoverInput>('failover'),
  );
  setHandler(
    commitUpdate,
    (data: CommitInput) => book({ operation: 'commit', input: data }),
    onlyIfAllowed<CommitInput>('commit'),
  );
  setHandler(
    disableUpdate,
    (data: DisableInput) => {
      protecting?.cancel();
      return book({ operation: 'disable', input: data });
    },
    onlyIfAllowed<DisableInput>('disable'),
  );
  setHandler(describeQuery, () => known().view());
  setHandler(stopReplicationSignal, () => {
    stopAsked = true;
  });

  // ------------------------------------------------------------ replication

  const openSessions = (): Replication => {
    const { spec } = known().record;
    if (spec === undefined) throw refusal('DR_ITEM_UNKNOWN', { item: workflowInfo().workflowId });
    sessions ??= replication(spec, {
      nextSessionEpoch: () => known().nextSessionEpoch(),
      onTrouble: (side, trouble) => known().raiseTrouble(side, trouble),
      onRecovered: (side) => known().clearTrouble(side),
      isTroubled: (side) => known().isTroubled(side),
      onSessionEnded: () => {
        sessionEnded = true;
      },
    });
    return sessions;
  };
  const control: ReplicationControl = {
    start: () => {
      openSessions().start('ship');
      openSessions().start('apply');
      rpoWatch ??= background(() => watchRpo(known()));
    },
    stop: async () => {
      rpoWatch?.cancel();
      rpoWatch = undefined;
      await sessions?.stop();
    },
    stopAsked: () => stopAsked,
  };

  // ------------------------------------------------------------ main loop

  // An update-with-start whose update was refused leaves a run that nobody configured: it ends by itself.
  await condition(() => store !== undefined, '1 minute');
  if (store === undefined) return;
  const item: ItemStore = store;

  if (item.running?.operation === 'protect') {
    protecting = new CancellationScope();
    const enabled = await protecting.run(() => enableProtection(item, openSessions));
    protecting = undefined;
    // Ended by `disable`, which has the slot now.
    if (booked === undefined) {
      item.running = undefined;
      item.change(enabled ? { state: 'protected', protectedSince: now() } : { state: 'enablingFailed' });
    }
    if (enabled) control.start();
  } else {
    // The catalogue may have missed the end of the run before.
    item.change({});
    if (item.record.state === 'protected') control.start();
  }

  const isQuiet = () => booked === undefined;
  for (;;) {
    if (isProtectionOver(item.record.state) && isQuiet()) {
      await control.stop();
      await item.settled();
      await condition(allHandlersFinished);
      return;
    }
    await condition(() => !isQuiet() || sessionEnded || workflowInfo().historyLength > HISTORY_EVENTS_MAX);
    if (isQuiet()) {
      await control.stop();
      await item.settled();
      await condition(allHandlersFinished);
      if (isQuiet()) await continueAsNew<typeof protectedItem>({ record: item.record });
      sessionEnded = false;
      if (item.record.state === 'protected') control.start();
    }
    const next = booked;
    booked = undefined;
    stopAsked = false;
    if (next !== undefined) await runOperation(item, next, control);
    item.running = undefined;
    item.change({});
  }
}

/** Runs beside the main loop until cancelled. */
function background(work: () => Promise<never>): CancellationScope {
  const scope = new CancellationScope();
  scope.run(work).catch((error: unknown) => {
    if (!isCancellation(error)) throw error;
  });
  return scope;
}
