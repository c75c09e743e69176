/**
 * Failover of one item to Azure: `test` (a drill), `real`, and real again from another recovery point.
 *
 * Theory of operation. Before: the item is protected and replicates; with `replaces`, its machine runs in Azure and
 * waits for commit. After a drill: an Azure machine runs on the chosen point in an isolated network, the live item is
 * untouched and replicates on. After a real failover: the source was asked to shut down (its outcome is recorded,
 * never assumed), the last delta is in Azure, the machine runs there, the entity waits for commit.
 *
 * Everything made in Azure lies in the run's group or under the run's staging prefix and carries its tag; undo deletes
 * both and proves the listing empty, then the source runs again if this run has switched it off. From a point on
 * that replaces another there is no return: what ran in Azure is gone.
 *
 * At the same time: other items do what they like; of this item only replication (in a drill) runs. A real failover
 * takes a session epoch, so that a replication attempt that is still alive somewhere can no longer write, and the
 * fence, so that nobody starts the source behind it. On a crash of any process the workflow goes on at the step it was
 * in: names are deterministic, steps adopt. A site that is silent is given up after minutes and the failover goes on
 * with what is durable; a source that was seen off is never left with changes that nobody replicated: then an
 * operator decides. As part of a plan the machine starts when the plan's run says that its turn has come. When the operator is silent a real run waits; a drill undoes itself.
 */
import { TURN_TASK } from '../domain/job.ts';
import { azureNames } from '../domain/names.ts';
import type { RecoveryPoint } from '../domain/replication.ts';
import type { FailoverResult, FailoverRun, RunOutcome, SourceOutcome } from './contracts/runs.ts';
import { azureSide } from './lib/azure-side.ts';
import { jobError, present, refusal, rethrowIfCancelled } from './lib/failures.ts';
import { powerOnAtHome, takeFence } from './lib/fence.ts';
import { azureOf, lastSegment, makeDisks, makeNic, makeVm } from './lib/provision.ts';
import { azureUndo, drains, siteCalls, urgentSite } from './lib/proxies.ts';
import { removeRun, scopeOf, scopeOfSide } from './lib/remove-run.ts';
import type { Done, Runbook, Step } from './lib/runbook.ts';
import { runRunbook } from './lib/run-runbook.ts';

/** Plans wait for people; one that says nothing for a day is over. */
const TURN_WITHIN_SECONDS = 86_400;
/** Time a guest gets to shut down before its power is cut. */
const SHUTDOWN_GRACE_SECONDS = 300;

export interface FailoverFacts {
  readonly startedMs: number;
  /** Before this run touched it; absent: nobody could say. */
  readonly sourceWas: 'on' | 'off';
  /** Newer than that of every session; absent in a drill, which writes nothing to the replica. */
  readonly sessionEpoch: number;
  readonly source: SourceOutcome;
  /** When the source was seen off. */
  readonly offAtMs: number;
  readonly finalBarrier: number | null;
  readonly point: RecoveryPoint;
  /** Number that the right to run in Azure was taken with. */
  readonly fence: number;
  readonly diskIds: readonly string[];
  readonly baselineSnapshotIds: readonly string[];
  readonly nicId: string;
  readonly privateIpAddress: string;
  readonly result: FailoverResult;
}

type FailoverStep = Step<FailoverRun, FailoverFacts>;

const isReal = (run: FailoverRun) => run.mode === 'real';
const touchesSource = (run: FailoverRun) => isReal(run) && run.replaces === undefined;

const removeEarlier: FailoverStep = {
  id: 'remove-earlier',
  name: 'Remove what an earlier run left',
  key: 'tag of the earlier run',
  applies: (run) => run.removeFirst.length > 0,
  async run({ item, mode, removeFirst }, _facts, tools) {
    for (const earlier of removeFirst) await removeRun(tools, scopeOf(item, earlier, mode), `${earlier}-`);
    return { detail: `${removeFirst.length} removed` };
  },
};

const preflight: FailoverStep = {
  id: 'preflight',
  name: 'Prerequisites check',
  key: 'reads only',
  kind: 'check',
  async run(run) {
    const startedMs = Date.now();
    await azureOf(run).preflightFailover({ run });
    return { facts: { startedMs, source: run.replaces?.source ?? 'notAsked', finalBarrier: null } };
  },
};

const stopReplication: FailoverStep = {
  id: 'stop-replication',
  name: 'Stop replication',
  key: 'session epoch of the item',
  held: 'Replication is stopped: recovery points grow older.',
  applies: isReal,
  run: async (_run, _facts, tools) => ({ facts: { sessionEpoch: await tools.stopReplication() } }),
};

/** Read before anything is done to it: a step that is repeated finds only what it has done itself. */
const lookAtSource: FailoverStep = {
  id: 'look-at-source',
  name: 'Look at the source machine',
  key: 'reads only',
  kind: 'bestEffort',
  applies: (run) => touchesSource(run) && run.shutdownSource,
  async run({ item, sourceWasOn }) {
    const { machineId } = item;
    const { state } = await siteCalls(item.site).homePowerState({ item, machineId });
    const wasOn = state === 'poweredOn' || sourceWasOn === true;
    return { facts: { sourceWas: wasOn ? 'on' : 'off' }, detail: `it is ${state}` };
  },
};

const SEEN_OFF_BY_US: readonly SourceOutcome[] = ['shutDown', 'poweredOff'];

const shutDownSource: FailoverStep = {
  id: 'shut-down-source',
  name: 'Shut down the source machine',
  key: 'power state of the machine',
  kind: 'bestEffort',
  held: 'The source is off and the Azure machine does not run yet: the application is down.',
  applies: (run) => touchesSource(run) && run.shutdownSource,
  async run({ item }, { sourceWas }) {
    const graceSeconds = SHUTDOWN_GRACE_SECONDS;
    try {
      const seen = await urgentSite(item.site).shutDownSource({ item, graceSeconds });
      const source = seen === 'alreadyOff' && sourceWas === 'on' ? 'shutDown' : seen;
      return { facts: { source, offAtMs: Date.now() }, detail: `source is off (${source})` };
    } catch (error) {
      rethrowIfCancelled(error);
      return {
        facts: { source: 'sourceStateUnknown' },
        detail: `source state unknown: ${jobError(error).message}`,
      };
    }
  },
  undo: {
    name: 'Power the source on again',
    means: 'The source is powered on again if this run has switched it off.',
    async run({ item }, { source, sourceWas }, tools) {
      const { machineId } = item;
      const isOurs = sourceWas === 'on' || (source !== undefined && SEEN_OFF_BY_US.includes(source));
      if (!isOurs) return 'it was not switched off by this run';
      // Interrupted, the guest may be on its way down: it is seen off before it is powered on again.
      if (source === undefined) {
        await urgentSite(item.site).shutDownSource({ item, graceSeconds: SHUTDOWN_GRACE_SECONDS });
      }
      return powerOnAtHome(item, { machineId }, tools);
    },
  },
};

const finalDelta: FailoverStep = {
  id: 'final-delta',
  name: 'Replicate the last changes',
  key: 'barrier of this session epoch',
  skip: 'Changes since the newest durable point stay on the source disks and are not in the Azure machine.',
  applies: (run) => touchesSource(run) && run.choice.kind === 'latest',
  async run({ item }, { sessionEpoch = 0, offAtMs }): Promise<Done<FailoverFacts>> {
    try {
      const final = await urgentSite(item.site).shipFinal({ item, sessionEpoch });
      return { facts: { finalBarrier: final.barrierNumber }, detail: `durable up to ${final.sourceTime}` };
    } catch (error) {
      rethrowIfCancelled(error);
      const reason = jobError(error).message;
      if (offAtMs === undefined) return { detail: `the site does not answer: ${reason}` };
      throw refusal('DR_FINAL_DELTA_MISSING', { machine: item.machineName, reason });
    }
  },
};

const choosePoint: FailoverStep = {
  id: 'point',
  name: 'Process pending data and choose the recovery point',
  key: 'recovery point of the barrier',
  async run(run, { sessionEpoch, finalBarrier = null }) {
    const { item, choice } = run;
    // Replication has stopped: nobody else applies what is durable.
    const drain = isReal(run) && choice.kind === 'latest' && sessionEpoch !== undefined;
    const point = drain
      ? await drains(item.target.location).drain({ item, sessionEpoch, barrierNumber: finalBarrier })
      : await azureOf(run).resolvePoint({ item, choice });
    return { facts: { point }, detail: `${point.pointId} of ${point.sourceTime}` };
  },
};

/** A disk that has joined since the point was made is not in it. */
const pointIsWhole: FailoverStep = {
  id: 'point-is-whole',
  name: 'See that the point holds every disk',
  key: 'reads only',
  skip: 'The machine starts in Azure without the disks that the point does not hold.',
  async run({ item }, { point }) {
    const held = present(point).disks.map(({ diskId }) => diskId);
    const missing = item.disks.filter(({ diskId }) => !held.includes(diskId)).map(({ label }) => label);
    if (missing.length === 0) return { detail: `${held.length} disks` };
    throw refusal('DR_POINT_INCOMPLETE', {
      item: item.machineName,
      point: present(point).pointId,
      disks: missing.join(', '),
    });
  },
};

const fence: FailoverStep = {
  id: 'fence',
  name: 'Take the right to run for Azure',
  key: 'fence record of the item',
  applies: isReal,
  async run({ item }, { sessionEpoch = 0 }) {
    const { number } = await takeFence(item, 'azure', sessionEpoch);
    return { facts: { fence: number }, detail: `fence ${number}` };
  },
  undo: {
    name: 'Give the right to run back to the site',
    means: 'The machine may run on premises again.',
    async run({ item, replaces }, _facts, tools) {
      if (replaces !== undefined) return 'it stays with Azure';
      const { number } = await takeFence(item, 'onPremises', await tools.stopReplication());
      return `fence ${number}`;
    },
  },
};

const removeReplaced: FailoverStep = {
  id: 'remove-replaced',
  name: 'Remove the Azure machine of the other point',
  key: 'tag of the replaced run',
  held: 'The machine runs nowhere: the application is down.',
  pointOfNoReturn: true,
  applies: (run) => run.replaces !== undefined,
  async run({ item, replaces }, _facts, tools) {
    if (replaces === undefined) return {};
    const { deleted } = await removeRun(tools, scopeOfSide(item.itemId, azureSide(item, replaces)));
    return { detail: `${deleted.length} removed` };
  },
};

/** Owed from before the first resource is asked for; of the steps that make something only this one has an undo. */
const group: FailoverStep = {
  id: 'group',
  name: 'Prepare the resource group',
  key: 'name and tag of the run',
  async run(run) {
    await azureOf(run).prepareRunGroup({ scope: scopeOf(run.item, run.runId, run.mode) });
    return {};
  },
  undo: {
    name: 'Remove what this run made in Azure',
    means: 'Everything this run made in Azure is removed, proven by an empty listing.',
    async run({ item, runId, mode }, { point }, tools) {
      const { deleted } = await removeRun(tools, scopeOf(item, runId, mode));
      if (point !== undefined) await azureUndo(item.target.location).releasePoint({ runId, point });
      return `${deleted.length} removed`;
    },
  },
};

const disks: FailoverStep = {
  id: 'disks',
  name: 'Make the disks',
  key: 'names of the disks in the run’s group',
  async run(run, { point }, tools) {
    return { facts: { diskIds: await makeDisks(run, present(point), tools) } };
  },
};

const baseline: FailoverStep = {
  id: 'baseline',
  name: 'Snapshot the disks before the first boot',
  key: 'names of the snapshots in the run’s group',
  kind: 'bestEffort',
  applies: isReal,
  async run(run, { diskIds = [] }) {
    const scope = scopeOf(run.item, run.runId, run.mode);
    const { machineName } = run.item;
    const { snapshotIds } = await azureOf(run).takeBaseline({ scope, machineName, diskIds });
    return {
      facts: { baselineSnapshotIds: snapshotIds },
      detail: 'only changes will travel on the way home',
    };
  },
};

const nic: FailoverStep = {
  id: 'nic',
  name: 'Make the network interface',
  key: 'name of the interface in the run’s group',
  async run(run) {
    const { resourceId, privateIpAddress } = await makeNic(run);
    return { facts: { nicId: resourceId, privateIpAddress }, detail: privateIpAddress };
  },
};

/** In a plan the machines of all groups are made ready together, and start in the order of their groups. */
const turn: FailoverStep = {
  id: TURN_TASK,
  name: 'Wait for its turn in the recovery plan',
  key: 'reads only',
  held: 'Everything is made and the Azure machine does not run yet.',
  skip: 'The machine starts now, whatever the other machines of its plan do.',
  applies: (run) => run.startWhenTold === true,
  async run({ item }, { offAtMs }, tools) {
    if (!(await tools.turn(TURN_WITHIN_SECONDS))) {
      throw refusal('DR_TURN_MISSED', { machine: item.machineName });
    }
    if (offAtMs !== undefined) await refuseSourceThatRuns(item);
    return { detail: 'its turn has come' };
  },
};

/** Seen off it was perhaps hours ago. A site that is silent says nothing against it: the fence is Azure's. */
async function refuseSourceThatRuns(item: FailoverRun['item']): Promise<void> {
  const { machineId, machineName: machine } = item;
  const seen = siteCalls(item.site).homePowerState({ item, machineId });
  const state = await seen.then(
    (answer) => answer.state,
    (error: unknown) => rethrowIfCancelled(error),
  );
  if (state === 'poweredOn') throw refusal('DR_SOURCE_RUNS', { machine, state });
}

const vm: FailoverStep = {
  id: 'vm',
  name: 'Create and start the virtual machine',
  key: 'name of the machine in the run’s group',
  async run(run, facts) {
    const { diskIds = [], nicId = '', fence: number } = facts;
    const held = number === undefined ? {} : { fence: number };
    const running = await makeVm(run, { diskIds, nicId, ...held });
    return {
      facts: { result: resultOf(run, facts, running.resourceId) },
      detail: `${lastSegment(running.resourceId)} is ${running.powerState} at ${facts.privateIpAddress}`,
    };
  },
};

function resultOf(run: FailoverRun, facts: Partial<FailoverFacts>, vmId: string): FailoverResult {
  const { startedMs = Date.now(), diskIds = [], baselineSnapshotIds, offAtMs } = facts;
  const { resourceGroup, sharedGroup } = scopeOf(run.item, run.runId, run.mode);
  const point = present(facts.point);
  return {
    runId: run.runId,
    mode: run.mode,
    point,
    vmId,
    diskIds,
    privateIpAddress: facts.privateIpAddress ?? '',
    resourceGroup: resourceGroup ?? azureNames.resourceGroup(run.runId),
    ...(sharedGroup === undefined ? {} : { sharedGroup }),
    ...(baselineSnapshotIds === undefined ? {} : { baselineSnapshotIds }),
    source: facts.source ?? 'notAsked',
    finalBarrier: facts.finalBarrier ?? null,
    rtoSeconds: (Date.now() - startedMs) / 1_000,
    rpoSeconds: Math.max(0, ((offAtMs ?? startedMs) - Date.parse(point.sourceTime)) / 1_000),
  };
}

export const failoverBook: Runbook<FailoverRun, FailoverFacts> = {
  kind: (run) => {
    if (run.mode === 'test') return 'testFailover';
    return run.replaces === undefined ? 'failover' : 'changeRecoveryPoint';
  },
  onFailure: (run) => (isReal(run) ? 'wait' : 'rollBack'),
  finish: 'The failover goes on to its end.',
  steps: [
    removeEarlier,
    preflight,
    stopReplication,
    lookAtSource,
    shutDownSource,
    finalDelta,
    choosePoint,
    pointIsWhole,
    fence,
    removeReplaced,
    group,
    disks,
    baseline,
    nic,
    turn,
    vm,
  ],
  result: (_run, { result }) => ({ ...result }),
};

export async function failover(run: FailoverRun): Promise<RunOutcome<FailoverFacts>> {
  return runRunbook(failoverBook, run);
}
