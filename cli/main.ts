/** The command line of Switchback: an API client with manners. */
import { Command, CommanderError, Option } from '@commander-js/extra-typings';
import { Cli } from './cli.ts';
import { appliance } from './commands/appliance.ts';
import { configValidate } from './commands/config/validate.ts';
import { evidenceGet } from './commands/evidence/get.ts';
import { evidenceKey } from './commands/evidence/key.ts';
import { evidenceShow } from './commands/evidence/show.ts';
import { evidenceVerify } from './commands/evidence/verify.ts';
import { itemChangePoint } from './commands/item/change-point.ts';
import { itemCheck } from './commands/item/check.ts';
import { itemCleanup } from './commands/item/cleanup.ts';
import { itemAddDisk, itemExcludeDisk } from './commands/item/disks.ts';
import { itemFailover } from './commands/item/failover.ts';
import { itemList } from './commands/item/list.ts';
import { plainItemVerbs } from './commands/item/plain.ts';
import { itemPoints } from './commands/item/points.ts';
import { itemProtect } from './commands/item/protect.ts';
import { itemReprotect } from './commands/item/reprotect.ts';
import { itemShow } from './commands/item/show.ts';
import { itemTestFailover } from './commands/item/test-failover.ts';
import { itemUpdate } from './commands/item/update.ts';
import { itemVerify } from './commands/item/verify.ts';
import { jobCancel } from './commands/job/cancel.ts';
import { jobDecisionVerbs, jobRetry, jobSkip } from './commands/job/decide.ts';
import { jobList } from './commands/job/list.ts';
import { jobShow } from './commands/job/show.ts';
import { jobWatch } from './commands/job/watch.ts';
import { labDown, labStatus, labUp } from './commands/lab/lab.ts';
import { machineList } from './commands/machine/list.ts';
import { masterTargetStart } from './commands/master-target/start.ts';
import { notificationList } from './commands/notification/list.ts';
import { notificationTest } from './commands/notification/test.ts';
import { planApply } from './commands/plan/apply.ts';
import { planDiff } from './commands/plan/diff.ts';
import { planHistory } from './commands/plan/history.ts';
import { planList } from './commands/plan/list.ts';
import { planMembers } from './commands/plan/members.ts';
import { planPoints } from './commands/plan/points.ts';
import { planRun } from './commands/plan/run.ts';
import { planShow } from './commands/plan/show.ts';
import { planSchedule } from './commands/plan/schedule.ts';
import { planSimulate } from './commands/plan/simulate.ts';
import { planValidate } from './commands/plan/validate.ts';
import { policyCreate } from './commands/policy/create.ts';
import { policyList } from './commands/policy/list.ts';
import { processServerStart } from './commands/process-server/start.ts';
import { readiness } from './commands/readiness.ts';
import { segmentInspect, segmentVerify } from './commands/segment/segment.ts';
import { vcenterAdd } from './commands/vcenter/add.ts';
import { vcenterList } from './commands/vcenter/list.ts';
import { vcenterRemove } from './commands/vcenter/remove.ts';
import { EXIT_USAGE } from './exits.ts';
import { processIo, type Io } from './io.ts';
import { errorText, exitOf } from './render/error.ts';

const CONNECTION_HELP =
  'Server, token and authority may also stand in a profile: SWITCHBACK_PROFILE, else ~/.config/switchback/profile.json.\n' +
  'Exit codes: docs/cli.md. Errors and what to do: docs/errors.md.';

const nouns = {
  vcenter: ['Registered vCenters', [vcenterAdd, vcenterList, vcenterRemove]],
  machine: ['Machines that discovery has found', [machineList]],
  plan: [
    'Recovery plans',
    [
      planValidate,
      planDiff,
      planApply,
      planList,
      planShow,
      planHistory,
      planMembers,
      planRun,
      planPoints,
      planSchedule,
      planSimulate,
    ],
  ],
  policy: ['Replication policies', [policyCreate, policyList]],
  item: [
    'Protected items and what is done with them',
    [
      itemProtect,
      itemList,
      itemShow,
      itemPoints,
      itemCheck,
      itemTestFailover,
      itemCleanup,
      itemFailover,
      itemChangePoint,
      itemReprotect,
      ...plainItemVerbs,
      itemVerify,
      itemUpdate,
      itemAddDisk,
      itemExcludeDisk,
    ],
  ],
  job: ['Runs of runbooks', [jobList, jobShow, jobWatch, jobCancel, ...jobDecisionVerbs, jobRetry, jobSkip]],
  evidence: [
    'What runs of plans leave for auditors',
    [evidenceVerify, evidenceShow, evidenceGet, evidenceKey],
  ],
  notification: ['What people are told of without asking', [notificationList, notificationTest]],
  'process-server': ['Gateways that move bytes', [processServerStart]],
  'master-target': ['Writers of what comes home', [masterTargetStart]],
  segment: ['Files of the journal', [segmentInspect, segmentVerify]],
  lab: ['The practice ground', [labUp, labStatus, labDown]],
  config: ['The configuration', [configValidate]],
} as const;

export async function main(): Promise<void> {
  process.exitCode = await run(process.argv.slice(2), processIo());
}

/** Runs one command; resolves with its exit code (docs/cli.md) and throws nothing. */
export async function run(argv: readonly string[], io: Io): Promise<number> {
  const { program, cli } = createProgram(io);
  try {
    await program.parseAsync(argv, { from: 'user' });
    return cli.exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_USAGE;
    io.stderr.write(`${errorText(error, cli.output)}\n`);
    return exitOf(error);
  } finally {
    await cli.close();
  }
}

/** The tree of commands; docs/cli.md is checked against it. */
export function createProgram(io: Io) {
  const program = new Command('switchback')
    .description('Disaster recovery of VMware machines to Azure')
    .option('--server <url>', 'configuration server (SWITCHBACK_SERVER)')
    .option('--token-file <file>', 'bearer token (SWITCHBACK_TOKEN_FILE)')
    .option('--ca-file <file>', 'authority of the configuration server (SWITCHBACK_CA_FILE)')
    .addOption(
      new Option('--output <form>', 'how results are written').choices(['text', 'json']).default('text'),
    )
    .addHelpText('after', `\n${CONNECTION_HELP}\n\nExample:\n  $ switchback item show web-01`);
  const cli = new Cli(io, () => program.opts());
  for (const [name, [description, verbs]] of Object.entries(nouns)) {
    const noun = new Command(name).description(description);
    for (const verb of verbs) noun.addCommand(verb(cli));
    program.addCommand(noun);
  }
  program.addCommand(readiness(cli));
  program.addCommand(appliance(cli));
  quiet(program, io);
  return { program, cli };
}

/** Output and exits are the caller's business, in every command of the tree. */
function quiet(command: Command, io: Io): void {
  command.exitOverride().configureOutput({
    writeOut: (text) => io.stdout.write(text),
    writeErr: (text) => io.stderr.write(text),
  });
  for (const inner of command.commands) quiet(inner as Command, io);
}
