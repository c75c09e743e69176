/** Decisions about a running job. */
import { contract } from '../../../api/contract.ts';
import type { JobDecision } from '../../../domain/job.ts';
import { stepAction, type WrittenAction } from './step-action.ts';
import { verb, type Cli } from '../../cli.ts';
import { watchJob } from './watch.ts';

const EXAMPLE_JOB = '5e0c1d3a-7f0f-4f2e-9d55-0c2f6a1b7e11';

const TASK_HELP = 'in the run of a plan: the step or machine that waits, where several do';

const verbs = [
  ['resume', 'finish', 'Go on with a job that is held'],
  [
    'abandon',
    'abandon',
    'End a job whose undo failed; something may be left, the same operation started again finds it',
  ],
  ['approve', 'approve', 'Answer a manual step of a plan: it is done, the run goes on'],
  ['reject', 'reject', 'Answer a manual step of a plan: it fails'],
  ['keep', 'keep', 'End the run of a plan and leave everything as it is'],
] as const satisfies readonly (readonly [string, JobDecision, string])[];

export const jobDecisionVerbs = verbs.map(
  ([name, decision, description]) =>
    (cli: Cli) =>
      decisionVerb(name, description, `job ${name} ${EXAMPLE_JOB} --wait`)
        .option('--reason <text>', 'kept with the job')
        .option('--task <id>', TASK_HELP)
        .action((job, options) => decide(cli, options, { job, decision })),
);

export function jobSkip(cli: Cli) {
  return decisionVerb(
    'skip',
    'Go on without the failed step, where the step allows it',
    `job skip ${EXAMPLE_JOB} --reason "the load balancer is changed by hand"`,
  )
    .requiredOption('--reason <text>', 'kept with the job')
    .option('--task <id>', TASK_HELP)
    .action((job, options) => decide(cli, options, { job, decision: 'skip' }));
}

export function jobRetry(cli: Cli) {
  return decisionVerb(
    'retry',
    'Run the failed step again',
    `job retry ${EXAMPLE_JOB} --task step-switch-dns --action switch-dns.yaml`,
  )
    .option('--reason <text>', 'kept with the job')
    .option('--task <id>', TASK_HELP)
    .option(
      '--action <file>',
      'of a step of a plan: do what this file says, as in a plan: "command: …", "probe: …"',
    )
    .action(async (job, { action: file, ...options }) => {
      const action = file === undefined ? {} : { action: await stepAction(file) };
      return decide(cli, options, { job, decision: 'retry', ...action });
    });
}

export function decisionVerb<const Name extends string>(name: Name, description: string, example: string) {
  return verb(name, description, example)
    .argument('<job>', 'id of the job')
    .option('--wait', 'watch the job until it ends; Ctrl-C detaches and cancels nothing');
}

export async function decide(
  cli: Cli,
  options: { readonly reason?: string; readonly task?: string; readonly wait?: true },
  {
    job,
    ...decided
  }: { readonly job: string; readonly decision: JobDecision; readonly action?: WrittenAction },
): Promise<void> {
  const body = {
    ...decided,
    ...(options.reason === undefined ? {} : { reason: options.reason }),
    ...(options.task === undefined ? {} : { taskId: options.task }),
  };
  const accepted = await cli.call(contract.decideJob, { params: { id: job }, body });
  if (options.wait === true) return watchJob(cli, job);
  cli.show(accepted, () => `Decided. Watch it with: switchback job watch ${job}`);
}
