/**
 * `npm run bench:plans`: the control plane by itself. A plan of many machines is drilled and cleaned up by the real
 * configuration server on a real Temporal server, with providers that answer at once; what it takes stands beside what
 * the same server needs for as many activities that do nothing, measured in the same run. See docs/bench.md.
 *
 *   --machines N   default 1000
 *   --groups N     default 50, in applications of five tiers
 *   --kill-after N seconds into the drill, `kill -9` of the configuration server: it plays every history that it needs
 */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Client, Connection } from '@temporalio/client';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';
import { runCli } from '../lab/cli.ts';
import { startLab, type Lab } from '../lab/lab.ts';
import { startProcess, type Running } from '../lab/processes/process.ts';
import { repositoryRoot } from '../lab/tools/cache.ts';
import { workflowIds } from '../workflows/contracts/ids.ts';
import { MiB } from '../domain/units.ts';
import { protectEstate } from './plans/estate.ts';
import { FLOOR_ACTIVITIES, floorRate, floorSeconds, type CountByPlace, type Where } from './plans/floor.ts';
import { historiesOf, type RunHistory } from './plans/histories.ts';
import { SUBNET } from './plans/names.ts';
import { cpuSeconds, memoryOf } from './processes.ts';

const GOAL = 1.5;
const RUN_SECONDS_MAX = 3_600;

const { values } = parseArgs({
  options: { machines: { type: 'string' }, groups: { type: 'string' }, 'kill-after': { type: 'string' } },
});
const size = { machines: Number(values.machines ?? 1_000), groups: Number(values.groups ?? 50) };
const tell = (line: string) => void process.stdout.write(`${line}\n`);

const folder = await mkdtemp(join(tmpdir(), 'switchback-plans-'));
const lab = await startLab({ folder, seed: 1, inventory: [], headless: true });
let providers: Running | undefined;
try {
  providers = await startProviders(lab);
  const connection = await Connection.connect({ address: lab.addresses.temporal });
  const client = new Client({ connection });
  await measure(client, lab, providers);
  await connection.close();
} finally {
  await providers?.stop();
  await lab.stop();
  await rm(folder, { recursive: true, force: true });
}

async function startProviders({ addresses }: Lab): Promise<Running> {
  const { code } = await bundleWorkflowCode({
    workflowsPath: join(repositoryRoot, 'bench/plans/floor-workflow.ts'),
    logger: new DefaultLogger('ERROR'),
  });
  const bundle = join(folder, 'floor.js');
  await writeFile(bundle, code);
  const logFile = join(folder, 'providers.log');
  return startProcess({
    name: 'providers',
    command: process.execPath,
    args: [join(repositoryRoot, 'bench/plans/providers-worker.ts'), addresses.temporal, bundle],
    logFile,
    ready: async () => ((await readFile(logFile, 'utf8')).includes('ready') ? true : undefined),
    readyWithinMs: 60_000,
  });
}

async function measure(client: Client, { paths, product, temporal }: Lab, around: Running): Promise<void> {
  tell(`${size.machines} machines in ${size.groups} groups`);
  const before = performance.now();
  const estate = await protectEstate(client, size);
  tell(`protected in ${seconds(before)} s`);
  const plan = join(folder, 'estate.yaml');
  await writeFile(plan, estate.planText);
  await mustRun(paths, ['plan', 'apply', plan]);
  const roles = async () => ({
    'configuration server': await product.rolePid('configuration-server'),
    providers: around.pid,
    Temporal: temporal.pid,
  });
  const floor = async (where: Where) => {
    const idle = cpuOf(await roles());
    const rate = await floorRate(client, where);
    const each = perActivity(idle, cpuOf(await roles()), FLOOR_ACTIVITIES);
    tell(`floor, ${where}: ${rate.toFixed(0)} activities a second; CPU ms each: ${each}`);
    return rate;
  };
  const rates = { here: await floor('here'), elsewhere: await floor('elsewhere') };
  const rows = [];
  for (const kind of ['test', 'cleanup'] as const) {
    const runId = `bench-${kind}`;
    const startedAt = new Date();
    const cpu = cpuOf(await roles());
    const where = kind === 'test' ? ['--subnet', SUBNET] : [];
    const args = ['plan', 'run', 'estate', kind, ...where, '--yes', '--operation-id', runId, '--wait'];
    const killing = kind === 'test' ? killLater(product) : undefined;
    await mustRun(paths, args);
    clearTimeout(killing);
    const wall = (Date.now() - startedAt.getTime()) / 1_000;
    const used = cpuOf(await roles());
    const histories = await historiesOf(client, { plan: workflowIds.planRun('estate'), runId, startedAt });
    const row = judged({ wall, rates, histories });
    const run = await client.workflow.getHandle(workflowIds.planRun('estate')).describe();
    const runSeconds = round(((run.closeTime?.getTime() ?? 0) - run.startTime.getTime()) / 1_000);
    rows.push({
      kind,
      runSeconds,
      ...row,
      cpuMsPerActivity: perActivity(cpu, used, row.activities.here + row.activities.elsewhere),
    });
    tell(JSON.stringify(rows.at(-1)));
  }
  const memory = Object.fromEntries(
    pidsOf(await roles()).map(([name, pid]) => [name, Math.round(memoryOf(pid).peakBytes / MiB)]),
  );
  tell(`peak memory, MiB: ${JSON.stringify(memory)}`);
  await mkdir(join(repositoryRoot, 'bench/results'), { recursive: true });
  const file = join(repositoryRoot, 'bench/results/plans.json');
  await writeFile(
    file,
    `${JSON.stringify({ at: new Date().toISOString(), ...size, rates, rows, memoryMiB: memory }, null, 2)}\n`,
  );
  const isMet = rows.every(({ ratio }) => ratio <= GOAL);
  tell(`control time ≤ ${GOAL} × floor: ${isMet ? 'met' : 'MISSED'}`);
}

/** Undefined: nobody asked for it. */
function killLater(product: Lab['product']): NodeJS.Timeout | undefined {
  const after = values['kill-after'];
  if (after === undefined) return undefined;
  const kill = async () => {
    const pid = await product.rolePid('configuration-server');
    if (pid === undefined) throw new Error('the configuration server does not run');
    process.kill(pid, 'SIGKILL');
    tell(`configuration server killed ${after} s into the drill`);
  };
  return setTimeout(() => void kill(), Number(after) * 1_000);
}

function judged(seen: {
  readonly wall: number;
  readonly rates: CountByPlace;
  readonly histories: readonly RunHistory[];
}) {
  const { wall, rates, histories } = seen;
  const total = (where: Where) => histories.reduce((sum, { activities }) => sum + activities[where], 0);
  const activities = { here: total('here'), elsewhere: total('elsewhere') };
  const floor = floorSeconds(activities, rates);
  return {
    wallSeconds: round(wall),
    activities,
    floorSeconds: round(floor),
    ratio: round(wall / floor),
    runs: histories.length,
    largestHistory: histories.toSorted((a, b) => b.events - a.events)[0],
  };
}

type Processes = Readonly<Record<string, number | undefined>>;

function pidsOf(processes: Processes): [string, number][] {
  return Object.entries(processes).flatMap(([name, pid]) => (pid === undefined ? [] : [[name, pid]]));
}

function cpuOf(processes: Processes): Readonly<Record<string, number>> {
  return Object.fromEntries(pidsOf(processes).map(([name, pid]) => [name, cpuSeconds(pid)]));
}

/** Where the time of one activity goes. */
function perActivity(
  before: Readonly<Record<string, number>>,
  after: Readonly<Record<string, number>>,
  activities: number,
): string {
  return Object.entries(after)
    .map(([name, used]) => `${name} ${(((used - (before[name] ?? 0)) * 1_000) / activities).toFixed(1)}`)
    .join(', ');
}

async function mustRun(paths: Lab['paths'], args: readonly string[]): Promise<void> {
  const { exitCode, stdout, stderr } = await runCli(paths, args, { timeoutMs: RUN_SECONDS_MAX * 1_000 });
  if (exitCode !== 0)
    throw new Error(
      `switchback ${args.join(' ')}: ${exitCode}\n${stdout.slice(-2_000)}\n${stderr.slice(-2_000)}`,
    );
}

function seconds(from: number): string {
  return ((performance.now() - from) / 1_000).toFixed(1);
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
