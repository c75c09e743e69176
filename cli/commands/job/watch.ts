import { setTimeout as delay } from 'node:timers/promises';
import { contract } from '../../../api/contract.ts';
import type { Job } from '../../../api/jobs.ts';
import type { ReplicationActivity } from '../../../api/replication.ts';
import { errorCatalogue, isErrorCode } from '../../../domain/errors.ts';
import { verb, type Cli } from '../../cli.ts';
import { exitOf } from '../../render/error.ts';
import { watchView, type WatchView } from '../../render/watch.ts';

/** 128 + SIGINT, as shells count it. */
const EXIT_DETACHED = 130;
/** A server that restarts is waited for. */
const AWAY_MS_MAX = 10 * 60_000;
const ended = new Set<Job['state']>(['succeeded', 'failed', 'cancelled']);

export function jobWatch(cli: Cli) {
  return verb(
    'watch',
    'Watch a job until it ends; Ctrl-C detaches and cancels nothing',
    'job watch 5e0c1d3a-7f0f-4f2e-9d55-0c2f6a1b7e11',
  )
    .argument('<job>', 'id of the job')
    .action((id) => watchJob(cli, id));
}

/** Ends with 0 when the job succeeded, else with the class of its error; 130 when the person detached. */
export async function watchJob(cli: Cli, id: string): Promise<void> {
  const { signal, release } = cli.io.interruptible();
  const view = watchView(cli.io, cli.output);
  try {
    const job = await lookUntilEnded(cli, id, view, signal);
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
async function lookUntilEnded(
  cli: Cli,
  id: string,
  view: WatchView,
  signal: AbortSignal,
): Promise<Job | undefined> {
  let awaySince: number | undefined;
  while (!signal.aborted) {
    try {
      const job = await cli.call(contract.getJob, { params: { id } });
      awaySince = undefined;
      if (ended.has(job.state)) return job;
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

/** Only the first copy of a machine takes long enough to be watched. */
async function replicationOf(cli: Cli, job: Job): Promise<ReplicationActivity[]> {
  if (job.kind !== 'protect') return [];
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
  const code = job.error?.code ?? '';
  return isErrorCode(code) ? errorCatalogue[code].exit : 1;
}
