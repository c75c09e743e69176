/** A copy home: the process server in Azure ships while the master target lands, then everything is landed. */
import { CancellationScope } from '@temporalio/workflow';
import type { HomeCopy, HomeWay, ReverseShipped } from '../contracts/home.ts';
import type { TaskLog } from './job-log.ts';
import type { StepTools } from './runbook.ts';
import { mebibytes } from './words.ts';
import { landings, landSessions, reverseCopies } from './proxies.ts';

export interface CopiedHome extends ReverseShipped {
  readonly words: string;
}

/** Longer than any copy; the session is cancelled when the copy has ended. */
const SESSION_DAYS = 30;

export async function copyHome(
  way: HomeWay,
  wanted: { readonly sessionEpoch: number; readonly copy: HomeCopy; readonly again: boolean },
  tools: StepTools,
): Promise<CopiedHome> {
  const { sessionEpoch } = wanted;
  const { location } = way.item.target;
  const shipped = await besideLanding(way, sessionEpoch, () =>
    tools.task(
      'ship-home',
      'Ship from Azure',
      () => reverseCopies(location).reverseFirstCopy({ way, ...wanted }),
      ({ readBytes, wireBytes }) => `${mebibytes(readBytes)} read, ${mebibytes(wireBytes)} sent`,
    ),
  );
  // The session beside the copy has written with later attempts of the same epoch: this landing needs a newer one.
  const landed = await landAll(way, await tools.stopReplication(), shipped.barrierNumber, tools);
  return { ...shipped, words: `${mebibytes(shipped.wireBytes)} travelled, whole as of ${landed.sourceTime}` };
}

export function landAll(way: HomeWay, sessionEpoch: number, barrierNumber: number, tasks: TaskLog) {
  return tasks.task(
    'land',
    'Write to the disks at home',
    () => landings(way.item.site).landUntil({ way, sessionEpoch, barrierNumber }),
    ({ sourceTime }) => `whole as of ${sourceTime}`,
  );
}

/** Lands what is there already, so that the journal does not hold the whole copy. */
async function besideLanding<T>(way: HomeWay, sessionEpoch: number, work: () => Promise<T>): Promise<T> {
  const scope = new CancellationScope();
  const endsAt = new Date(Date.now() + SESSION_DAYS * 86_400_000).toISOString();
  const landing = scope
    .run(() => landSessions(way.item.site).landSession({ way, sessionEpoch, endsAt, reportRecovery: false }))
    // Its trouble is met again, and told, by the landing that follows.
    .catch(() => undefined);
  try {
    return await work();
  } finally {
    scope.cancel();
    await landing;
  }
}
