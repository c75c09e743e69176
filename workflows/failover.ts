/**
 * Failover of one item to Azure, in two modes: `test` (a drill) and `real`.
 *
 * Theory of operation. Before: the item is protected and replicates. After a drill: an Azure machine runs on the
 * chosen point in an isolated network, the live item is untouched and replicates on. After a real failover: the
 * source was asked to shut down (its outcome is recorded, never assumed), the last delta is in Azure, the machine
 * runs there, the entity waits for commit.
 *
 * Steps and their undo: preflight (changes nothing) → [real: stop replication → shut down source → final delta] →
 * choose the point → stage disks → import disks → network interface → machine running. Everything made in Azure
 * lies in the run's own resource group or under the run's staging prefix and carries its tag; undo deletes both and
 * proves the listing empty. The undo is owed from before the first resource is asked for, because a request may
 * have succeeded although its answer was lost.
 *
 * At the same time: other items do what they like; of this item only replication (in a drill) runs. A real failover
 * reserves a session epoch, so that a replication attempt that is still alive somewhere can no longer write.
 * On a crash of any process the workflow continues at the step it was in: names are deterministic, steps adopt.
 * A site that is silent is given up after minutes and the failover goes on with what is durable; a source that was
 * seen off is never left with changes that nobody replicated: `latest` then fails and says how to go without them.
 * When the operator is silent nothing happens: the run ends by itself.
 */
import {
  CancellationScope,
  condition,
  getExternalWorkflowHandle,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import { azureNames } from '../domain/names.ts';
import type { BegunOperation } from '../domain/ports.ts';
import type { PointDisk, RecoveryPoint } from '../domain/replication.ts';
import { replicationStoppedSignal, stopReplicationSignal } from './contracts/messages.ts';
import type { FailoverOutcome, FailoverResult, FailoverRun, SourceOutcome } from './contracts/types.ts';
import { jobError, refusal } from './lib/failures.ts';
import { jobLog, type JobLog } from './lib/job-log.ts';
import { azure as azureActivities, drains, urgentSite } from './lib/proxies.ts';
import { removeRun, scopeOf } from './lib/remove-run.ts';

/** Time a guest gets to shut down before its power is cut. */
const SHUTDOWN_GRACE_SECONDS = 300;

export async function failover(run: FailoverRun): Promise<FailoverOutcome> {
  const log = jobLog({
    id: run.runId,
    kind: run.mode === 'test' ? 'testFailover' : 'failover',
    itemId: run.item.itemId,
    machineName: run.item.machineName,
    requestedBy: run.requestedBy.principal,
  });
  let stage: Stage = 'removingEarlier';
  let source: SourceStop = UNTOUCHED;
  try {
    const startedMs = Date.now();
    for (const earlier of run.removeFirst) {
      await removeRun(log, scopeOf(run.item, earlier, run.mode), `${earlier}-`);
    }
    stage = 'preparing';
    await log.step('preflight', 'Prerequisites check', () => azureOf(run).preflightFailover({ run }));
    if (run.mode === 'real') {
      source = await stopSource(run, log);
      source = { ...source, finalBarrier: await shipFinal(run, log, source) };
    }
    const point = await choosePoint(run, log, source);
    stage = 'making';
    const machine = await provision(run, log, point);
    const result: FailoverResult = {
      runId: run.runId,
      mode: run.mode,
      point,
      ...machine,
      resourceGroup: azureNames.resourceGroup(run.runId),
      source: source.outcome,
      finalBarrier: source.finalBarrier,
      rtoSeconds: (Date.now() - startedMs) / 1_000,
      rpoSeconds: Math.max(0, ((source.offAtMs ?? startedMs) - Date.parse(point.sourceTime)) / 1_000),
    };
    await log.succeed({ ...result });
    return { outcome: 'done', result };
  } catch (error) {
    const left = stage === 'making' ? await undo(run, log) : LEFT[stage];
    return { outcome: 'failed', error: await log.fail(error), left, source: source.outcome };
  }
}

/** Where a run is; decides what its failure leaves. From `making` on the undo is owed. */
type Stage = 'removingEarlier' | 'preparing' | 'making';
const LEFT = { removingEarlier: 'unknown', preparing: 'nothing' } as const;

interface SourceStop {
  readonly outcome: SourceOutcome;
  /** When the source was seen off. */
  readonly offAtMs?: number;
  /** Barrier of the final delta; null when there was none. */
  readonly finalBarrier: number | null;
  /** Newer than that of every session; absent in a drill, which writes nothing to the replica. */
  readonly sessionEpoch?: number;
}

const UNTOUCHED: SourceStop = { outcome: 'notAsked', finalBarrier: null };

const azureOf = (run: FailoverRun) => azureActivities(run.item.target.location, run.mode === 'real');

/** Stops replication and shuts the source down, as far as the site answers. */
async function stopSource(run: FailoverRun, log: JobLog): Promise<SourceStop> {
  const { item } = run;
  const sessionEpoch = await log.step('stop-replication', 'Stop replication', stopReplication);
  const outcome = run.shutdownSource
    ? await log.attempt(
        'shut-down-source',
        'Shut down the source machine',
        () => urgentSite(item.site).shutDownSource({ item, graceSeconds: SHUTDOWN_GRACE_SECONDS }),
        (observed) => `source is off (${observed})`,
      )
    : 'notAsked';
  const isOff = outcome !== undefined && outcome !== 'notAsked';
  return {
    outcome: outcome ?? 'sourceStateUnknown',
    ...(isOff ? { offAtMs: Date.now() } : {}),
    finalBarrier: null,
    sessionEpoch,
  };
}

/**
 * For `latest`: ships what is left. Null: the site does not answer. Where the source was seen off its last changes
 * are there to be had, so giving up is a failure.
 */
async function shipFinal(run: FailoverRun, log: JobLog, source: SourceStop): Promise<number | null> {
  const { item } = run;
  const { sessionEpoch } = source;
  if (run.choice.kind !== 'latest' || sessionEpoch === undefined) return null;
  try {
    const done = await log.step(
      'final-delta',
      'Replicate the last changes',
      () => urgentSite(item.site).shipFinal({ item, sessionEpoch }),
      (final) => `durable up to ${final.sourceTime}`,
    );
    return done.barrierNumber;
  } catch (error) {
    if (source.offAtMs === undefined) return null;
    throw refusal('DR_FINAL_DELTA_MISSING', { machine: item.machineName, reason: jobError(error).message });
  }
}

/**
 * The entity cancels its sessions, waits for their end (at most a heartbeat timeout) and answers with the epoch
 * this run writes with: an attempt that still lives somewhere is older and can no longer write.
 */
async function stopReplication(): Promise<number> {
  let sessionEpoch: number | undefined;
  setHandler(replicationStoppedSignal, (answer) => {
    sessionEpoch = answer.sessionEpoch;
  });
  const { parent } = workflowInfo();
  if (parent === undefined)
    throw refusal('DR_INTERNAL', { reason: 'a failover runs under its protected item' });
  await getExternalWorkflowHandle(parent.workflowId).signal(stopReplicationSignal);
  await condition(() => sessionEpoch !== undefined);
  return sessionEpoch ?? 0;
}

async function choosePoint(run: FailoverRun, log: JobLog, source: SourceStop): Promise<RecoveryPoint> {
  const { item, choice } = run;
  return log.step(
    'point',
    choice.kind === 'latest' ? 'Process pending data into a recovery point' : 'Choose the recovery point',
    async () => {
      if (source.sessionEpoch !== undefined && choice.kind === 'latest') {
        const { sessionEpoch, finalBarrier } = source;
        return drains(item.target.location).drain({ item, sessionEpoch, barrierNumber: finalBarrier });
      }
      return azureOf(run).resolvePoint({ item, choice });
    },
    (point) => `${point.pointId} of ${point.sourceTime}`,
  );
}

async function provision(run: FailoverRun, log: JobLog, point: RecoveryPoint) {
  const azure = azureOf(run);
  const scope = scopeOf(run.item, run.runId, run.mode);
  await log.step('group', 'Prepare the resource group', () => azure.prepareRunGroup({ scope }));
  const diskIds = await makeDisks(run, log, point);
  const { name, ...network } = nicOf(run);
  const nic = await log.step(
    'nic',
    'Make the network interface',
    async () => azure.awaitNic({ begun: await azure.beginNic({ scope, nic: { name, ...network } }) }),
    (made) => made.privateIpAddress,
  );
  const vm = await log.step(
    'vm',
    'Create and start the virtual machine',
    async () =>
      azure.awaitVmRunning({ begun: await beginVm(run, inDiskOrder(run, point, diskIds), nic.resourceId) }),
    (running) => `${lastSegment(running.resourceId)} is ${running.powerState} at ${nic.privateIpAddress}`,
  );
  return {
    vmId: vm.resourceId,
    diskIds: inDiskOrder(run, point, diskIds),
    privateIpAddress: nic.privateIpAddress,
  };
}

/** All at once. When one fails the others are stopped and waited for: nothing may appear after the undo has listed. */
async function makeDisks(run: FailoverRun, log: JobLog, point: RecoveryPoint): Promise<string[]> {
  const scope = new CancellationScope();
  const making = point.disks.map((disk) => {
    const index = diskIndex(run, disk);
    return scope.run(() =>
      log.step(`disk-${index}`, `Make disk ${index}`, () => makeDisk(run, disk), lastSegment),
    );
  });
  try {
    return await Promise.all(making);
  } catch (error) {
    scope.cancel();
    await Promise.allSettled(making);
    throw error;
  }
}

/** Copy the point's snapshot to a page blob, import that as a managed disk. */
async function makeDisk(run: FailoverRun, disk: PointDisk): Promise<string> {
  const azure = azureOf(run);
  const index = diskIndex(run, disk);
  const staged = await azure.beginStageDisk({ runId: run.runId, disk });
  const { url } = await azure.awaitStageDisk(staged);
  const begun = await azure.beginDiskImport({
    scope: scopeOf(run.item, run.runId, run.mode),
    disk: {
      name: azureNames.disk(run.item.machineName, index),
      sourceUrl: url,
      isOsDisk: index === 0,
      osType: osType(run),
      generation: run.item.firmware === 'efi' ? 'V2' : 'V1',
    },
  });
  return (await azure.awaitDisk({ begun })).resourceId;
}

function beginVm(run: FailoverRun, diskIds: readonly string[], nicId: string): Promise<BegunOperation> {
  return azureOf(run).beginVm({
    scope: scopeOf(run.item, run.runId, run.mode),
    vm: {
      name: azureNames.vm(run.item.machineName, run.mode),
      size: run.item.target.vmSize,
      osType: osType(run),
      diskIds,
      nicId,
    },
  });
}

/** Removes what the run made; a cancelled run undoes as well. */
async function undo(run: FailoverRun, log: JobLog): Promise<'removed' | 'unknown'> {
  try {
    await CancellationScope.nonCancellable(() => removeRun(log, scopeOf(run.item, run.runId, run.mode)));
    return 'removed';
  } catch {
    return 'unknown';
  }
}

function nicOf(run: FailoverRun) {
  return {
    name: azureNames.nic(run.item.machineName),
    subnetId: run.subnetId,
    ...(run.privateIpAddress === undefined ? {} : { privateIpAddress: run.privateIpAddress }),
  };
}

function diskIndex(run: FailoverRun, disk: PointDisk): number {
  return run.item.disks.findIndex((each) => each.diskId === disk.diskId);
}

function inDiskOrder(run: FailoverRun, point: RecoveryPoint, diskIds: readonly string[]): string[] {
  return point.disks
    .map((disk, i) => ({ index: diskIndex(run, disk), id: diskIds[i] ?? '' }))
    .sort((a, b) => a.index - b.index)
    .map((each) => each.id);
}

function osType(run: FailoverRun): 'Linux' | 'Windows' {
  return run.item.guestFamily === 'windows' ? 'Windows' : 'Linux';
}

function lastSegment(resourceId: string): string {
  return resourceId.slice(resourceId.lastIndexOf('/') + 1);
}
