/** What the entity does for each booked operation. Each ends with the item in a state that has a next operation. */
import { condition, executeChild, getExternalWorkflowHandle } from '@temporalio/workflow';
import type { Condition } from '../../domain/health.ts';
import { asId, type OperationId, type RunId } from '../../domain/ids.ts';
import type { cleanup } from '../cleanup.ts';
import { workflowIds } from '../contracts/ids.ts';
import { replicationStoppedSignal } from '../contracts/messages.ts';
import type {
  CleanupInput,
  CleanupOutcome,
  CommitInput,
  DisableInput,
  FailoverInput,
  FailoverOutcome,
  FailoverRun,
  SourceOutcome,
  TestFailoverInput,
} from '../contracts/types.ts';
import type { failover } from '../failover.ts';
import type { ItemSpec } from '../../domain/machine.ts';
import type { ItemStore } from './item-store.ts';
import { jobError } from './failures.ts';
import { jobLog, now } from './job-log.ts';
import { azure, siteTasks } from './proxies.ts';

const FAILOVER_FAILED = 'DR_HEALTH_FAILOVER_FAILED';
const SOURCE_OFF = 'DR_HEALTH_SOURCE_OFF';

export type Booked =
  | { readonly operation: 'testFailover'; readonly input: TestFailoverInput }
  | { readonly operation: 'cleanupTestFailover'; readonly input: CleanupInput }
  | { readonly operation: 'failover'; readonly input: FailoverInput }
  | { readonly operation: 'commit'; readonly input: CommitInput }
  | { readonly operation: 'disable'; readonly input: DisableInput };

/** How an operation reaches the item's replication. */
export interface ReplicationControl {
  start(): void;
  stop(): Promise<void>;
  /** Resolves when the running failover has asked for replication to stop. */
  stopAsked(): boolean;
}

export async function runOperation(
  store: ItemStore,
  booked: Booked,
  control: ReplicationControl,
): Promise<void> {
  const { spec } = store.record;
  if (spec === undefined) return runWithoutMachine(store, booked);
  switch (booked.operation) {
    case 'testFailover':
      return runTestFailover(store, spec, booked.input);
    case 'cleanupTestFailover':
      return runCleanup(store, spec, booked.input);
    case 'failover':
      return runFailover(store, spec, booked.input, control);
    case 'commit':
      return runCommit(store, spec, booked.input);
    case 'disable':
      return runDisable(store, spec, booked.input, control);
  }
}

/** Only `disable` is possible before the machine was checked, and then nothing was made anywhere. */
async function runWithoutMachine(store: ItemStore, { operation, input }: Booked): Promise<void> {
  if (operation !== 'disable') return;
  const { itemId, machineName } = store.record.protect;
  const requestedBy = input.requestedBy.principal;
  const log = jobLog({ id: input.operationId, kind: 'disable', itemId, machineName, requestedBy });
  store.change({ state: 'disabled' });
  await log.succeed({});
}

async function runTestFailover(store: ItemStore, spec: ItemSpec, input: TestFailoverInput): Promise<void> {
  const runId = input.operationId;
  store.change({ drill: { state: 'starting', runId } });
  const done = await failoverChild({
    ...common(spec, input),
    mode: 'test',
    subnetId: input.subnetId,
    shutdownSource: false,
    removeFirst: [],
  });
  if (done.outcome === 'done') store.change({ drill: { state: 'running', runId, result: done.result } });
  else store.change({ drill: done.left === 'unknown' ? { state: 'failed', runId } : { state: 'none' } });
}

async function runCleanup(store: ItemStore, spec: ItemSpec, input: CleanupInput): Promise<void> {
  const { drill } = store.record;
  if (drill.runId === undefined) return;
  store.change({ drill: { ...drill, state: 'cleaningUp' } });
  const done = await executeChild<typeof cleanup>('cleanup', {
    workflowId: workflowIds.cleanup(spec.itemId, input.operationId),
    args: [{ ...input, item: spec, runId: drill.runId }],
  }).catch((error: unknown): CleanupOutcome => ({ outcome: 'failed', error: jobError(error) }));
  store.change({ drill: done.outcome === 'done' ? { state: 'none' } : { ...drill, state: 'cleanupFailed' } });
}

async function runFailover(
  store: ItemStore,
  spec: ItemSpec,
  input: FailoverInput,
  control: ReplicationControl,
): Promise<void> {
  store.clear(FAILOVER_FAILED, SOURCE_OFF);
  store.change({ state: 'failingOver' });
  const { privateIpAddress } = spec.target;
  let ended = false;
  const child = failoverChild({
    ...common(spec, input),
    mode: 'real',
    subnetId: spec.target.subnetId,
    ...(privateIpAddress === undefined ? {} : { privateIpAddress }),
    shutdownSource: input.shutdownSource,
    removeFirst: store.record.unremovedRuns,
  }).finally(() => {
    ended = true;
  });
  await condition(() => ended || control.stopAsked());
  if (!ended) {
    await control.stop();
    await tellStopped(spec, input.operationId, store.nextSessionEpoch());
  }
  const done = await child;
  if (done.outcome === 'failed') return afterFailedFailover(store, input.operationId, done, control);
  store.change({ state: 'failedOver', failover: done.result, conditions: [], unremovedRuns: [] });
}

const SEEN_OFF: readonly SourceOutcome[] = ['shutDown', 'poweredOff', 'alreadyOff'];

/**
 * With nothing left in Azure the machine goes back to being protected; otherwise the operator fails over again and
 * what is left is removed first. A run that stopped at its prerequisites has changed nothing: its job says why. A
 * source that the run has switched off is said to be off: nobody else will.
 */
function afterFailedFailover(
  store: ItemStore,
  runId: RunId,
  failed: FailoverOutcome & { outcome: 'failed' },
  control: ReplicationControl,
): void {
  const isLeft = failed.left === 'unknown';
  store.change({
    state: isLeft ? 'failoverFailed' : 'protected',
    unremovedRuns: isLeft ? [...store.record.unremovedRuns, runId] : [],
  });
  if (failed.left !== 'nothing') {
    const reason = `the last failover did not finish: ${failed.error.message}`;
    store.raise(warning(FAILOVER_FAILED, reason, failed.error.remedy));
  }
  if (SEEN_OFF.includes(failed.source)) {
    const suggestion = 'Fail over again, or power the machine on in vCenter.';
    store.raise(warning(SOURCE_OFF, 'the source is off since a failover that did not finish', suggestion));
  }
  if (!isLeft) control.start();
}

function warning(type: string, reason: string, suggestion: string): Condition {
  return { type, category: 'warning', reason, suggestion, since: now() };
}

/** Commit: staged copies and all other recovery points go; the machine in Azure stands on its own disks. */
async function runCommit(store: ItemStore, spec: ItemSpec, input: CommitInput): Promise<void> {
  const result = store.record.failover;
  if (result === undefined) return;
  store.change({ state: 'committing' });
  const log = jobLog({
    id: input.operationId,
    kind: 'commit',
    itemId: spec.itemId,
    machineName: spec.machineName,
    requestedBy: input.requestedBy.principal,
  });
  const recovery = azure(spec.target.location, false);
  try {
    await log.step(
      'staged',
      'Delete staged page blobs',
      () => recovery.deleteStaged({ runId: result.runId }),
      (done) => `${done.deleted} deleted`,
    );
    await log.step(
      'points',
      'Delete the other recovery points',
      () => recovery.deleteOtherPoints({ item: spec, keep: result.point.pointId }),
      (done) => `${done.deleted} deleted`,
    );
    await log.attempt('snapshots', 'Remove snapshots from the source', () =>
      siteTasks(spec.site).removeProductSnapshots({ item: spec }),
    );
    store.change({ state: 'committed' });
    await log.succeed({ pointId: result.point.pointId, vmId: result.vmId });
  } catch (error) {
    store.change({ state: 'failedOver' });
    await log.fail(error);
  }
}

/**
 * Ends protection: replication stops, snapshots leave the source, and nothing of the item stays in the storage
 * account. What has failed over to Azure and the source machine itself are not touched.
 */
async function runDisable(
  store: ItemStore,
  spec: ItemSpec,
  input: DisableInput,
  control: ReplicationControl,
): Promise<void> {
  store.change({ state: 'disabling' });
  const log = jobLog({
    id: input.operationId,
    kind: 'disable',
    itemId: spec.itemId,
    machineName: spec.machineName,
    requestedBy: input.requestedBy.principal,
  });
  try {
    await log.step('stop-replication', 'Stop replication', () => control.stop());
    // A site that is gone for good must not keep an item for ever.
    await log.attempt('snapshots', 'Remove snapshots from the source', () =>
      siteTasks(spec.site).removeProductSnapshots({ item: spec }),
    );
    await log.step(
      'purge',
      'Delete recovery points, replicas, journal and key',
      () => azure(spec.target.location, false).purgeItem({ item: spec }),
      (done) => `${done.deletedBlobs} blobs deleted`,
    );
    store.change({ state: 'disabled', hasRecoveryPoint: false });
    await log.succeed({});
  } catch (error) {
    // Points may be gone already: there is no way back, only `disable` again.
    await log.fail(error);
  }
}

function common(spec: ItemSpec, input: TestFailoverInput | FailoverInput) {
  return {
    runId: input.operationId,
    requestedBy: input.requestedBy,
    item: spec,
    choice: input.choice,
  };
}

/** A child that was ended from outside says nothing of what it left. */
function failoverChild(run: FailoverRun): Promise<FailoverOutcome> {
  return executeChild<typeof failover>('failover', {
    workflowId: workflowIds.failover(run.item.itemId, run.runId),
    args: [run],
  }).catch((error: unknown): FailoverOutcome => ({
    outcome: 'failed',
    error: jobError(error),
    left: 'unknown',
    source: run.mode === 'real' ? 'sourceStateUnknown' : 'notAsked',
  }));
}

async function tellStopped(spec: ItemSpec, operationId: OperationId, sessionEpoch: number): Promise<void> {
  const run = getExternalWorkflowHandle(workflowIds.failover(spec.itemId, asId(operationId)));
  // A run that has ended in the meantime needs no answer.
  await run.signal(replicationStoppedSignal, { sessionEpoch }).catch(() => undefined);
}
