/** What the entity does for each booked operation. Each ends with the item in a state that has a next operation. */
import { condition, executeChild, getExternalWorkflowHandle } from '@temporalio/workflow';
import { clear, raise } from '../../domain/health.ts';
import { asId, type OperationId } from '../../domain/ids.ts';
import type { cleanup } from '../cleanup.ts';
import { workflowIds } from '../contracts/ids.ts';
import { replicationStoppedSignal } from '../contracts/messages.ts';
import type {
  CleanupInput,
  CommitInput,
  FailoverInput,
  FailoverOutcome,
  FailoverRun,
  TestFailoverInput,
} from '../contracts/types.ts';
import type { failover } from '../failover.ts';
import type { ItemSpec } from '../../domain/machine.ts';
import type { ItemStore } from './item-store.ts';
import { jobLog, now } from './job-log.ts';
import { azure } from './proxies.ts';

const FAILOVER_FAILED = 'DR_HEALTH_FAILOVER_FAILED';

export type Booked =
  | { readonly operation: 'testFailover'; readonly input: TestFailoverInput }
  | { readonly operation: 'cleanupTestFailover'; readonly input: CleanupInput }
  | { readonly operation: 'failover'; readonly input: FailoverInput }
  | { readonly operation: 'commit'; readonly input: CommitInput };

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
  if (spec === undefined) return;
  switch (booked.operation) {
    case 'testFailover':
      return runTestFailover(store, spec, booked.input);
    case 'cleanupTestFailover':
      return runCleanup(store, spec, booked.input);
    case 'failover':
      return runFailover(store, spec, booked.input, control);
    case 'commit':
      return runCommit(store, spec, booked.input);
  }
}

async function runTestFailover(store: ItemStore, spec: ItemSpec, input: TestFailoverInput): Promise<void> {
  const runId = input.operationId;
  store.change({ drill: { state: 'starting', runId } });
  const done = await failoverChild({
    ...common(spec, input),
    mode: 'test',
    subnetId: input.subnetId,
    shutdownSource: false,
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
  });
  store.change({ drill: done.outcome === 'done' ? { state: 'none' } : { ...drill, state: 'cleanupFailed' } });
}

async function runFailover(
  store: ItemStore,
  spec: ItemSpec,
  input: FailoverInput,
  control: ReplicationControl,
): Promise<void> {
  store.change({ state: 'failingOver' });
  const { privateIpAddress } = spec.target;
  let ended = false;
  const child = failoverChild({
    ...common(spec, input),
    mode: 'real',
    subnetId: spec.target.subnetId,
    ...(privateIpAddress === undefined ? {} : { privateIpAddress }),
    shutdownSource: input.shutdownSource,
  }).finally(() => {
    ended = true;
  });
  await condition(() => ended || control.stopAsked());
  if (!ended) {
    await control.stop();
    await tellStopped(spec, input.operationId, store.nextSessionEpoch());
  }
  const done = await child;
  if (done.outcome === 'done') store.change({ state: 'failedOver', failover: done.result, conditions: [] });
  else afterFailedFailover(store, done, control);
}

/**
 * With nothing left in Azure the machine goes back to being protected; otherwise the operator fails over again.
 * A run that stopped at its prerequisites has changed nothing, so health stays as it was; its job says why.
 */
function afterFailedFailover(
  store: ItemStore,
  failed: FailoverOutcome & { outcome: 'failed' },
  control: ReplicationControl,
): void {
  const others = clear(store.record.conditions, FAILOVER_FAILED);
  const condition = {
    type: FAILOVER_FAILED,
    category: 'warning',
    reason: `the last failover did not finish: ${failed.error.message}`,
    suggestion: failed.error.remedy,
    since: now(),
  } as const;
  store.change({
    state: failed.left === 'unknown' ? 'failoverFailed' : 'protected',
    conditions: failed.left === 'nothing' ? others : raise(others, condition),
  });
  if (failed.left !== 'unknown') control.start();
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
    store.change({ state: 'committed' });
    await log.succeed({ pointId: result.point.pointId, vmId: result.vmId });
  } catch (error) {
    store.change({ state: 'failedOver' });
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

function failoverChild(run: FailoverRun): Promise<FailoverOutcome> {
  return executeChild<typeof failover>('failover', {
    workflowId: workflowIds.failover(run.item.itemId, run.runId),
    args: [run],
  });
}

async function tellStopped(spec: ItemSpec, operationId: OperationId, sessionEpoch: number): Promise<void> {
  const run = getExternalWorkflowHandle(workflowIds.failover(spec.itemId, asId(operationId)));
  // A run that has ended in the meantime needs no answer.
  await run.signal(replicationStoppedSignal, { sessionEpoch }).catch(() => undefined);
}
