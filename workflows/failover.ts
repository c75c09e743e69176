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
 * When the site is out of reach, shutting down and the final delta give up after minutes and the failover goes on
 * with what is durable. When the operator is silent nothing happens: the run ends by itself.
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
import { refusal } from './lib/failures.ts';
import { jobLog, type JobLog } from './lib/job-log.ts';
import { azure as azureActivities, urgentSite } from './lib/proxies.ts';
import { removeRun, scopeOf } from './lib/remove-run.ts';

/** Time a guest gets to shut down before its power is cut. */
const SHUTDOWN_GRACE_SECONDS = 120;

export async function failover(run: FailoverRun): Promise<FailoverOutcome> {
  const log = jobLog({
    id: run.runId,
    kind: run.mode === 'test' ? 'testFailover' : 'failover',
    itemId: run.item.itemId,
    machineName: run.item.machineName,
    requestedBy: run.requestedBy.principal,
  });
  let undoIsOwed = false;
  try {
    const startedMs = Date.now();
    await log.step('preflight', 'Prerequisites check', () => azureOf(run).preflightFailover({ run }));
    const source = run.mode === 'real' ? await stopSource(run, log) : UNTOUCHED;
    const point = await choosePoint(run, log, source);
    undoIsOwed = true;
    const machine = await provision(run, log, point);
    const result: FailoverResult = {
      runId: run.runId,
      mode: run.mode,
      point,
      ...machine,
      resourceGroup: azureNames.resourceGroup(run.runId),
      source: source.outcome,
      rtoSeconds: (Date.now() - startedMs) / 1_000,
      rpoSeconds: Math.max(0, ((source.offAtMs ?? startedMs) - Date.parse(point.sourceTime)) / 1_000),
    };
    await log.succeed({ ...result });
    return { outcome: 'done', result };
  } catch (error) {
    const left = undoIsOwed ? await undo(run, log) : 'nothing';
    return { outcome: 'failed', error: await log.fail(error), left };
  }
}

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

/** Stops replication, shuts the source down and ships what is left: each as far as the site answers. */
async function stopSource(run: FailoverRun, log: JobLog): Promise<SourceStop> {
  const { item } = run;
  const sessionEpoch = await log.step('stop-replication', 'Stop replication', stopReplication);
  const outcome = run.shutdownSource
    ? await log.attempt(
        'shut-down-source',
        'Shut down the source machine',
        () =>
          urgentSite(item.site, '5 minutes').shutDownSource({ item, graceSeconds: SHUTDOWN_GRACE_SECONDS }),
        (observed) => `source is off (${observed})`,
      )
    : 'notAsked';
  const offAtMs = outcome === undefined || outcome === 'notAsked' ? undefined : Date.now();
  const final = await log.attempt(
    'final-delta',
    'Replicate the last changes',
    () => urgentSite(item.site, '15 minutes').shipFinal({ item, sessionEpoch }),
    (done) => `durable up to ${done.sourceTime}`,
  );
  return {
    outcome: outcome ?? 'sourceStateUnknown',
    ...(offAtMs === undefined ? {} : { offAtMs }),
    finalBarrier: final?.barrierNumber ?? null,
    sessionEpoch,
  };
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
      const azure = azureOf(run);
      if (source.sessionEpoch !== undefined && choice.kind === 'latest') {
        const { sessionEpoch, finalBarrier } = source;
        return azure.drain({ item, sessionEpoch, barrierNumber: finalBarrier });
      }
      return azure.resolvePoint({ item, choice });
    },
    (point) => `${point.pointId} of ${point.sourceTime}`,
  );
}

async function provision(run: FailoverRun, log: JobLog, point: RecoveryPoint) {
  const azure = azureOf(run);
  const scope = scopeOf(run.item, run.runId, run.mode);
  await log.step('group', 'Prepare the resource group', () => azure.prepareRunGroup({ scope }));
  const diskIds = await Promise.all(
    point.disks.map((disk) =>
      log.step(
        `disk-${diskIndex(run, disk)}`,
        `Make disk ${diskIndex(run, disk)}`,
        () => makeDisk(run, disk),
        (id) => lastSegment(id),
      ),
    ),
  );
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
