/**
 * `--plan shop`: an application of three machines. Rehearsed, cleaned up, failed over with a manual step, committed, and
 * brought home, all by its recovery plan. The probes ask applications that the practice Azure starts from the bytes of
 * the recovered disks.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Job } from '../../api/jobs.ts';
import type { ProtectedItemDetail } from '../../api/protected-items.ts';
import { EXIT_WAITS } from '../../cli/exits.ts';
import { errorCatalogue } from '../../domain/errors.ts';
import { RUN_TAG } from '../../domain/names.ts';
import type { PlanRunKind } from '../../domain/plan/plan.ts';
import { installApplication, type Application } from '../../lab/application.ts';
import type { InventoryMachine } from '../../lab/inventory.ts';
import { repositoryRoot } from '../../lab/tools/cache.ts';
import { paint, seconds } from './screen.ts';
import { job, protection, type Stage } from './story.ts';

const PLAN = 'shop';
const PLAN_FILE = 'examples/plans/shop.yaml';

const applications: Readonly<Record<string, Application>> = {
  'shop-db-01': { name: 'database', tcp: [5432] },
  'shop-app-01': { name: 'application', tcp: [9000] },
  'shop-web-01': { name: 'web', http: [{ port: 8080, pages: { '/health': 'shop is open' } }] },
};
const machines = Object.keys(applications);

export function shopInventory(seed: number): readonly InventoryMachine[] {
  return machines.map((name, index) => ({
    name,
    folder: 'production',
    cpus: 1,
    memoryMiB: 1024,
    poweredOn: true,
    disks: [{ mib: 64, filesystem: 'ext4', seed: seed + index }],
  }));
}

const runs = [
  'test',
  'cleanup',
  'failover',
  'commit',
  'reprotect',
  'failback',
  'commit-home',
  're-enable',
] as const;
type Run = (typeof runs)[number];
const jobOf = (run: Run) => `demo-plan-${run}`;

/** True when every machine is at home again, protected, and Azure lists nothing of any run. */
export async function playPlan(stage: Stage): Promise<boolean> {
  const { screen, cli, lab } = stage;
  screen.section('Protect three machines');
  await protectShop(stage);
  screen.section('The recovery plan');
  await cli.run(`plan apply ${join(repositoryRoot, PLAN_FILE)}`);
  await cli.run(`plan members ${PLAN}`);
  screen.section('Rehearse it');
  await run(stage, 'test', { subnet: lab.addresses.isolatedSubnetId });
  await run(stage, 'cleanup');
  await nothingLeft(stage, 'test');
  screen.section('Fail over');
  await runAndApprove(stage, 'failover', { yes: true });
  await run(stage, 'commit', { yes: true });
  screen.section('Come home');
  screen.command('switchback process-server start --temporary');
  await lab.startTemporaryProcessServer();
  await run(stage, 'reprotect');
  await runAndApprove(stage, 'failback', { yes: true });
  await run(stage, 'commit-home', { yes: true });
  await nothingLeft(stage, 'failover');
  await run(stage, 're-enable');
  screen.section('The evidence');
  await evidence(stage);
  screen.section('The verdict');
  return conclude(stage);
}

/** Of the failover: whole as it was sealed, and refused with one byte changed. */
async function evidence({ cli, lab, screen }: Stage): Promise<void> {
  const folder = lab.paths.folder;
  const [file, key, altered] = ['failover.html', 'evidence.pem', 'altered.html'].map((name) =>
    join(folder, name),
  );
  if (file === undefined || key === undefined || altered === undefined) return;
  await cli.run('evidence key', { file: key });
  await cli.run(`evidence get ${jobOf('failover')}`, { file });
  await cli.run(`evidence verify ${file}`, { key });
  const page = await readFile(file);
  const at = page.indexOf('the duty manager agrees');
  page.writeUInt8(page.readUInt8(at) ^ 0x20, at);
  await writeFile(altered, page);
  screen.note('one byte of what was said by whoever approved is changed');
  await cli.run(`evidence verify ${altered}`, { key }, errorCatalogue.DR_EVIDENCE_ALTERED.exit);
}

async function protectShop({ lab, screen, cli }: Stage): Promise<void> {
  const { vcenter } = lab.addresses;
  await cli.run('vcenter add practice', {
    url: vcenter.url,
    username: vcenter.username,
    'password-file': vcenter.passwordFile,
    fingerprint: vcenter.certificateSha256,
  });
  await cli.run('policy create demo', { interval: '5s', retention: '1h' });
  for (const [machine, application] of Object.entries(applications)) {
    await installApplication(lab.guest, machine, application);
    screen.note(`${machine} serves ${application.name}`);
    await cli.run(`item protect ${machine}`, { ...protection(lab.addresses), wait: true });
  }
}

type Options = Parameters<Stage['cli']['run']>[1];

async function run({ cli }: Stage, name: Run, options: Options = {}): Promise<void> {
  await cli.run(`plan run ${PLAN} ${kindOf(name)}`, { ...options, 'operation-id': jobOf(name), wait: true });
}

function kindOf(name: Run): string {
  return name === 'commit-home' ? ('commit' satisfies PlanRunKind) : name;
}

/** The run waits for a person, who looks and approves. */
async function runAndApprove(stage: Stage, name: Run, options: Options): Promise<void> {
  const { cli, screen } = stage;
  const id = jobOf(name);
  await cli.run(`plan run ${PLAN} ${kindOf(name)}`, { ...options, 'operation-id': id });
  await cli.run(`job watch ${id}`, { 'until-input': true }, EXIT_WAITS);
  await cli.run(`job show ${id}`);
  screen.note('the duty manager was told');
  await cli.run(`job approve ${id}`, { reason: 'the duty manager agrees' });
  await cli.run(`job watch ${id}`);
}

/** Every machine's own run carries its tag. */
async function nothingLeft({ lab, screen }: Stage, name: Run): Promise<void> {
  const left = (await lab.azure.resources()).filter(({ tags }) => tags[RUN_TAG]?.startsWith(jobOf(name)));
  if (left.length > 0) throw new Error(`left in Azure: ${left.map(({ id }) => id).join(', ')}`);
  screen.note(`Azure lists nothing of the ${kindOf(name)}`);
}

async function conclude(stage: Stage): Promise<boolean> {
  const { lab, cli, screen } = stage;
  const rows: string[][] = [['machine', 'state', 'runs at', 'power at home']];
  let isHome = true;
  for (const machine of machines) {
    const { state, activeLocation } = await cli.read<ProtectedItemDetail>(`item show ${machine}`);
    const { powerState } = await lab.guest.machine(machine);
    const isGood = state === 'protected' && powerState === 'poweredOn';
    isHome &&= isGood;
    rows.push([machine, state, activeLocation, paint(isGood ? 'green' : 'red', powerState)]);
  }
  screen.table(rows);
  screen.line('');
  screen.table([
    ['run', 'took', 'steps and machines'],
    ...(await Promise.all(runs.map((name) => summary(stage, name)))),
  ]);
  screen.line('');
  screen.line(
    isHome
      ? paint(
          ['green', 'bold'],
          'Proven: the shop was rehearsed, moved to Azure and brought home by its plan.',
        )
      : paint(['red', 'bold'], 'Not proven: see above.'),
  );
  return isHome;
}

interface PlanResult {
  readonly steps: readonly { readonly step: string; readonly outcome: string }[];
  readonly members: readonly { readonly machineName: string; readonly outcome: string }[];
}

async function summary({ cli }: Stage, name: Run): Promise<string[]> {
  const { startedAt, endedAt = startedAt, result } = (await job(cli, jobOf(name))) satisfies Job;
  const { members, steps } = result as unknown as PlanResult;
  const took = seconds((Date.parse(endedAt) - Date.parse(startedAt)) / 1_000);
  const failed = [
    ...members.filter(({ outcome }) => outcome !== 'succeeded').map(({ machineName }) => machineName),
    ...steps.filter(({ outcome }) => outcome !== 'succeeded').map(({ step }) => step),
  ];
  const told = [
    `${members.length} machines, ${steps.length} steps`,
    failed.length === 0 ? '' : `but for ${failed.join(', ')}`,
  ];
  return [name, took, ...told];
}
