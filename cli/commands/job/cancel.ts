import { Option } from '@commander-js/extra-typings';
import { contract } from '../../../api/contract.ts';
import type { Job } from '../../../api/jobs.ts';
import { DrError } from '../../../domain/errors.ts';
import { howItEnded, isJobOver, PROTECT_HAS_NO_CHOICES } from '../../../domain/job.ts';
import type { Cli } from '../../cli.ts';
import { invalid } from '../../connection.ts';
import { ask, canAsk } from '../../prompt.ts';
import { cancelModes, type CancelMode } from '../../verbs.ts';
import { decide, decisionVerb } from './decide.ts';

const modes = Object.keys(cancelModes) as CancelMode[];

interface Offered {
  readonly mode: CancelMode;
  readonly means: string;
}

export function jobCancel(cli: Cli) {
  return decisionVerb(
    'cancel',
    'Cancel a job: finish, roll back or hold it. Without --mode it says what each means at this step, and asks',
    'job cancel 5e0c1d3a-7f0f-4f2e-9d55-0c2f6a1b7e11 --mode roll-back --wait',
  )
    .addOption(new Option('--mode <mode>', 'how it is to go on').choices(modes))
    .option('--reason <text>', 'kept with the job')
    .action(async (job, options) => {
      const mode = options.mode ?? (await chosenMode(cli, job));
      await decide(cli, options, { job, decision: cancelModes[mode] });
    });
}

/** @throws DR_JOB_OVER, DR_DECISION_REFUSED, DR_REQUEST_INVALID with what is offered when nobody can answer */
async function chosenMode(cli: Cli, id: string): Promise<CancelMode> {
  const offered = offeredModes(await cli.call(contract.getJob, { params: { id } }));
  const lines = offered.map(({ mode, means }) => `${mode}: ${means}`);
  if (!canAsk(cli.io)) {
    throw invalid(`nobody can be asked how to cancel: pass --mode. Possible now are ${lines.join(' · ')}`);
  }
  cli.io.stderr.write(lines.map((line) => `  ${line}\n`).join(''));
  const names = offered.map(({ mode }) => mode);
  const typed = await ask(cli.io, `Type ${names.join(', ')}: `);
  const mode = names.find((name) => name === typed);
  if (mode === undefined) throw invalid(`"${typed}" is none of ${names.join(', ')}; nothing was decided`);
  return mode;
}

function offeredModes(job: Job): Offered[] {
  if (isJobOver(job.state)) throw new DrError('DR_JOB_OVER', { job: job.id, state: howItEnded(job.state) });
  const offered = modes.flatMap((mode): Offered[] => {
    const choice = job.choices?.find(({ decision }) => decision === cancelModes[mode]);
    return choice === undefined ? [] : [{ mode, means: choice.means }];
  });
  if (offered.length > 0) return offered;
  const reason = job.kind === 'protect' ? PROTECT_HAS_NO_CHOICES : 'this step offers no way to';
  throw new DrError('DR_DECISION_REFUSED', { decision: 'cancel', job: job.id, reason });
}
