/**
 * `npm run demo [-- --keep] [-- --seed N] [-- --round-trip N | --plan shop]`: the main job on a practice ground, from an
 * empty installation to a proven failover; with `--round-trip`, to Azure and home again N times; with `--plan`, an
 * application of three machines by its recovery plan.
 * The product is driven through `switchback …` only; writing as the guest and hashing disks is the lab's business.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { endProcesses, labsFolder } from '../lab/commands.ts';
import { labPaths } from '../lab/folder.ts';
import { startLab, type Lab } from '../lab/lab.ts';
import { CommandLine, commandText } from './demo/command-line.ts';
import { conclude } from './demo/conclusion.ts';
import { playPlan, shopInventory } from './demo/plan.ts';
import { concludeRounds, roundTrip, type Round } from './demo/round-trip.ts';
import { drill, failOver, protection, protectMachine, replicate, type Stage } from './demo/story.ts';
import { paint, Screen, seconds } from './demo/screen.ts';
import { tell } from './run.ts';

const { values } = parseArgs({
  options: {
    keep: { type: 'boolean', default: false },
    plan: { type: 'string' },
    'round-trip': { type: 'string', default: '0' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 1e6)) },
  },
});
const seed = Number(values.seed);
if (!Number.isSafeInteger(seed) || seed < 0) {
  console.error('--seed takes a whole number');
  process.exit(2);
}

const rounds = Number(values['round-trip']);
if (!Number.isInteger(rounds) || rounds < 0 || rounds > 20) {
  console.error('--round-trip takes a number of rounds, 1 to 20');
  process.exit(2);
}

if (values.plan !== undefined && (values.plan !== 'shop' || rounds > 0)) {
  console.error('--plan takes shop, and no --round-trip beside it');
  process.exit(2);
}
const isPlan = values.plan !== undefined;

const screen = new Screen();
let lab: Lab | undefined;
const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupted.abort());

try {
  await Promise.race([play(), interruption()]);
} catch (error) {
  if (interrupted.signal.aborted) screen.line('\nInterrupted.');
  else tell(error);
  if (lab !== undefined) screen.note(`logs: ${lab.paths.log('*')}`);
  process.exitCode = 1;
} finally {
  if (lab !== undefined) await leave(lab);
}
process.exit();

async function play(): Promise<void> {
  screen.title(`Switchback: a machine goes from VMware to Azure (seed ${seed})`);
  screen.section('The practice ground');
  lab = await openLab();
  screen.line('');
  screen.note('To repeat any command by hand:');
  screen.line(`   alias switchback="node ${process.cwd()}/cli/switchback.mjs"`);
  screen.line(`   export SWITCHBACK_PROFILE=${lab.paths.profile}`);
  const stage = { lab, screen, cli: new CommandLine(lab.paths, screen, interrupted.signal) };

  if (isPlan) {
    process.exitCode = (await playPlan(stage)) ? 0 : 1;
    return;
  }
  screen.section('Protect a machine');
  await protectMachine(stage);
  screen.section('The guest keeps writing, recovery points appear');
  await replicate(stage);
  screen.section('Test failover into an isolated network');
  const drilled = await drill(stage);
  if (rounds > 0) return goRound(stage, lab);
  screen.section('Failover, source shut down, point latest');
  const failedOver = await failOver(stage);
  screen.section('The verdict');
  const proven = await conclude(stage, { drilled, failedOver });
  process.exitCode = proven ? 0 : 1;
}

async function goRound(stage: Stage, ground: Lab): Promise<void> {
  screen.section('A process server in Azure, for the way home');
  screen.command('switchback process-server start --temporary');
  await ground.startTemporaryProcessServer();
  const done: Round[] = [];
  for (let round = 1; round <= rounds; round += 1) done.push(await roundTrip(stage, round));
  screen.section('The verdict');
  process.exitCode = (await concludeRounds(stage, done)) ? 0 : 1;
}

/** Always from the beginning: what an earlier demo left is ended and removed first. */
async function openLab(): Promise<Lab> {
  const paths = labPaths(join(labsFolder, 'demo'));
  await endProcesses(paths);
  await rm(paths.folder, { recursive: true, force: true });
  return startLab({
    folder: paths.folder,
    seed,
    ...(isPlan ? { inventory: shopInventory(seed), answeringGuests: true } : {}),
    onReady: ({ name, address, ms }) =>
      screen.line(`   ${name.padEnd(11)} ${address.padEnd(44)} ${seconds(ms / 1000)}`),
  });
}

async function leave(lab: Lab): Promise<void> {
  const { addresses, paths } = lab;
  if (!values.keep || process.exitCode !== 0) {
    await lab.stop();
    if (process.exitCode === 0) await rm(paths.folder, { recursive: true, force: true });
    return;
  }
  await lab.leaveRunning();
  screen.line(`\n${paint('bold', 'Everything is left running')} (end it: switchback lab down --remove)\n`);
  screen.table([
    ['API', addresses.api],
    ['Temporal', addresses.temporalUi ?? addresses.temporal],
    ['vCenter', addresses.vcenter.url],
    ['Azure', addresses.arm.url],
  ]);
  screen.line('\n   Try:');
  screen.command('switchback item show shop-01');
  screen.command('switchback job list');
  screen.command(commandText('item protect mail-01', { ...protection(addresses), wait: true }));
}

function interruption(): Promise<never> {
  return new Promise((_, reject) => {
    interrupted.signal.addEventListener('abort', () => reject(new Error('interrupted')), { once: true });
  });
}
