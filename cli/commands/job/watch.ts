import { setTimeout as delay } from 'node:timers/promises';
import { contract } from '../../../api/contract.ts';
import type { Job } from '../../../api/jobs.ts';
import type { ReplicationActivity } from '../../../api/replication.ts';
import { errorCatalogue, isErrorCode } from '../../../domain/errors.ts';
import { isJobOver } from '../../../domain/job.ts';
import { verb, type Cli } from '../../cli.ts';
import { EXIT_CANCELLED, EXIT_DETACHED, EXIT_WAITS } from '../../exits.ts';
import { exitOf } from '../../render/error.ts';
import { watchView, type WatchView } from '../../render/watch.ts';

/** A server that restarts is waited for. */
const AWAY_MS_MAX = 10 * 60_000;
/** Operations whose copies take long enough to be watched. */
const copying = new Set<Job['kind']>([
  'protect',
  'reprotect',
  'failback',
  'reEnable',
  'resync',
  'verify',
  'addDisks',
]);

export function jobWatch(cli: Cli) {
  return verb(
    'watch',
    'Watch a job until it ends, and say what it waits for; Ctrl-C detaches and cancels nothing',
    'job watch 5e0c1d3a-7f0f-4f2e-9d55-0c2f6a1b7e11',
  )
    .argument('<job>', 'id of the job')
    .option('--until-input', `end with ${EXIT_WAITS} as soon as the job waits for a decision`)
    .action((id, { untilInput }) => watchJob(cli, id, { untilInput: untilInput === true }));
}

/** Ends with 0 when the job succeeded, else with the class of its error or a code of cli/exits.ts. */
export async function watchJob(cli: Cli, id: string, { untilInput } = { untilInput: false }): Promise<void> {
  const { signal, release } = cli.io.interruptible();
  const view = watchView(cli.io, cli.output);
  try {
    const isLast = ({ state }: Job) => isJobOver(state) || (untilInput && state === 'waitingForInput');
    const job = await lookUntil(cli, id, { isLast, view, signal });
    view.end(job);
    cli.exitCode = job === undefined ? EXIT_DETACHED : exitOfJob(job);
    if (job === undefined) {
      cli.io.stderr.write(`Detached. The job goes on; watch it again with: switchback job watch ${id}\n`);
    }
  } finally {
    release();
  }
}

/** Undefined: the person detached. */
async function lookUntil(
  cli: Cli,
  id: string,
  watch: {
    readonly isLast: (job: Job) => boolean;
    readonly view: WatchView;
    readonly signal: AbortSignal;
  },
): Promise<Job | undefined> {
  const { isLast, view, signal } = watch;
  let awaySince: number | undefined;
  while (!signal.aborted) {
    try {
      const job = await cli.call(contract.getJob, { params: { id } });
      awaySince = undefined;
      if (isLast(job)) return job;
      view.update(job, await replicationOf(cli, job));
    } catch (error) {
      awaySince ??= Date.now();
      if (!isAway(error) || Date.now() - awaySince > AWAY_MS_MAX) throw error;
      view.away(error);
    }
    await delay(cli.io.watchEveryMs, undefined, { signal }).catch(() => undefined);
  }
  return undefined;
}

async function replicationOf(cli: Cli, job: Job): Promise<ReplicationActivity[]> {
  if (!copying.has(job.kind) || job.itemId === undefined) return [];
  try {
    return (await cli.call(contract.getItem, { params: { id: job.itemId } })).activities;
  } catch (error) {
    if (isAway(error) || exitOf(error) === errorCatalogue.DR_ITEM_UNKNOWN.exit) return [];
    throw error;
  }
}

function isAway(error: unknown): boolean {
  return exitOf(error) === errorCatalogue.DR_SERVER_UNREACHABLE.exit;
}

function exitOfJob(job: Job): number {
  if (job.state === 'succeeded') return 0;
  if (job.state === 'waitingForInput') return EXIT_WAITS;
  const code = job.error?.code ?? '';
  if (isErrorCode(code)) return errorCatalogue[code].exit;
  return job.state === 'cancelled' ? EXIT_CANCELLED : 1;
}
