/** Protects every machine, drills and cleans up, and reads what that has taken. */
import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { Client, Connection } from '@temporalio/client';
import { contract } from '../../api/contract.ts';
import type { Job } from '../../api/jobs.ts';
import type { PlanRunKind } from '../../domain/plan/plan.ts';
import { productRoles } from '../../lab/processes/product.ts';
import { waitFor } from '../../lab/wait.ts';
import { Flow, SIZE } from '../../test/e2e/support/flow.ts';
import type { Practice } from '../../test/support/harness.ts';
import { cpuSeconds, memoryOf } from '../processes.ts';
import { PLAN } from './estate.ts';
import { worstRpoSeconds } from './rpo.ts';

export interface ProcessFigures {
  readonly name: string;
  /** The most it ever held. */
  readonly peakBytes: number;
  /** During drill and cleanup. */
  readonly cpuSeconds: number;
}

export interface HistoryFigures {
  readonly workflowId: string;
  readonly events: number;
  readonly bytes: number;
}

export interface SiteFigures {
  readonly protectSeconds: number;
  readonly drillSeconds: number;
  readonly cleanupSeconds: number;
  readonly processes: readonly ProcessFigures[];
  readonly largest: readonly HistoryFigures[];
  /** Of each machine the worst moment of drill and cleanup, ascending. */
  readonly rpoSeconds: readonly number[];
  /** Lines that processes of the product have logged as errors. */
  readonly loggedErrors: number;
  /** What ended otherwise than it must, or was left. */
  readonly problems: readonly string[];
}

const POLICY = 'gold';
const INTERVAL = '1m';
const AT_ONCE = 8;
const WITHIN_MS = 3_600_000;
const LOOK_EVERY_MS = 500;
const LARGEST_SHOWN = 3;
const ERROR_LEVEL = /"level":(?:50|60)/g;

export async function measure(
  practice: Practice,
  { names, plan }: { readonly names: readonly string[]; readonly plan: string },
): Promise<SiteFigures> {
  const flow = new Flow(practice, names[0] ?? '');
  await flow.addVCenter();
  await flow.must('policy', 'create', POLICY, '--interval', INTERVAL, '--retention', '24h');
  const protectSeconds = await seconds(() => protectAll(practice, names));
  await practice.api.call(contract.applyPlan, { params: { name: PLAN }, body: { text: plan } });
  const pids = await pidsOf(practice);
  const before = new Map([...pids].map(([name, pid]) => [name, cpuSeconds(pid)]));
  const from = Date.now();
  const problems: string[] = [];
  const drillSeconds = await seconds(async () => problems.push(...(await runPlan(practice, 'test'))));
  const made = await practice.resourcesOfRuns();
  const machines = made.filter(({ type }) => type.toLowerCase().endsWith('/virtualmachines')).length;
  if (machines !== names.length) problems.push(`the drill has made ${machines} machines`);
  const cleanupSeconds = await seconds(async () => problems.push(...(await runPlan(practice, 'cleanup'))));
  const to = Date.now();
  problems.push(...(await practice.resourcesOfRuns()).map(({ id }) => `left: ${id}`));
  const processes = [...pids].map(([name, pid]) => ({
    name,
    peakBytes: memoryOf(pid).peakBytes,
    cpuSeconds: cpuSeconds(pid) - (before.get(name) ?? 0),
  }));
  const rpos = await Promise.all(names.map((name) => worstRpoSeconds(practice, name, { from, to })));
  return {
    protectSeconds,
    drillSeconds,
    cleanupSeconds,
    processes,
    largest: await largestHistories(practice),
    rpoSeconds: rpos.toSorted((a, b) => a - b),
    loggedErrors:
      (await readFile(practice.lab.paths.log('switchback'), 'utf8')).match(ERROR_LEVEL)?.length ?? 0,
    problems,
  };
}

async function protectAll(practice: Practice, names: readonly string[]): Promise<void> {
  const { arm, productionSubnetId } = practice.lab.addresses;
  const queue = names.values();
  const protectNext = async () => {
    for (const machine of queue) {
      const target = { location: arm.location, vmSize: SIZE, subnetId: productionSubnetId };
      const body = { machine, policy: POLICY, target, excludedDisks: [] };
      await practice.api.call(contract.protect, { body });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, protectNext));
  const areProtected = async () => {
    const { items } = await practice.api.call(contract.listItems, { query: { limit: 500 } });
    return items.filter(({ state }) => state === 'protected').length === names.length;
  };
  await waitFor(areProtected, { what: 'every machine to be protected', withinMs: WITHIN_MS, everyMs: 2_000 });
}

/** Answers what did not end well. */
async function runPlan(practice: Practice, kind: PlanRunKind): Promise<string[]> {
  const id = randomUUID();
  const { isolatedSubnetId: subnetId } = practice.lab.addresses;
  const body = { kind, shutdownSource: true, operationId: id, ...(kind === 'test' ? { subnetId } : {}) };
  await practice.api.call(contract.runPlan, { params: { name: PLAN }, body });
  const ended = await waitFor(() => overOrWaiting(practice, id), {
    what: `the ${kind} run to end`,
    withinMs: WITHIN_MS,
    everyMs: LOOK_EVERY_MS,
  });
  return ended.state === 'succeeded' ? [] : [`${kind} is ${ended.state}: ${ended.error?.message ?? ''}`];
}

async function overOrWaiting(practice: Practice, id: string): Promise<Job | undefined> {
  const job = await practice.api.call(contract.getJob, { params: { id } });
  return job.endedAt === undefined && job.state !== 'waitingForInput' ? undefined : job;
}

async function pidsOf({ lab }: Practice): Promise<ReadonlyMap<string, number>> {
  const roles = await Promise.all(
    productRoles.map(async (role): Promise<[string, number]> => [
      role,
      (await lab.product.rolePid(role)) ?? 0,
    ]),
  );
  const { temporal, azurite, arm, vcenter } = lab;
  return new Map([
    ...roles,
    ...[temporal, azurite, arm, vcenter].map(({ name, pid }): [string, number] => [`(${name})`, pid]),
  ]);
}

async function largestHistories({ lab }: Practice): Promise<HistoryFigures[]> {
  const connection = await Connection.connect({ address: lab.addresses.temporal });
  try {
    const runs = await Array.fromAsync(new Client({ connection }).workflow.list());
    return runs
      .map(({ workflowId, historyLength, historySize = 0 }) => ({
        workflowId,
        events: historyLength,
        bytes: historySize,
      }))
      .toSorted((a, b) => b.events - a.events)
      .slice(0, LARGEST_SHOWN);
  } finally {
    await connection.close();
  }
}

async function seconds(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return (performance.now() - startedAt) / 1_000;
}
