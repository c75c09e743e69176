/** What replication is doing now, in one line: percent, rate and time left follow from the raw facts. */
import type { ReplicationActivity, ReplicationProgressView } from '../../api/replication.ts';
import { bytes, duration, secondsBetween } from './text.ts';

const titles: Readonly<Record<ReplicationProgressView['phase'], string>> = {
  initial: 'initial replication',
  delta: 'delta',
  final: 'final delta',
  verify: 'verification',
};

export function replicationLine(progress: ReplicationProgressView): string {
  const { phase, totalBytes, doneBytes, wireBytes } = progress;
  const seconds = secondsBetween(progress.startedAt, progress.at);
  const rate = seconds > 0 ? doneBytes / seconds : 0;
  const left = rate > 0 && totalBytes > doneBytes ? (totalBytes - doneBytes) / rate : undefined;
  return [
    titles[phase],
    totalBytes > 0 ? `${percent(progress)} % of ${bytes(totalBytes)}` : `${bytes(doneBytes)} so far`,
    rate > 0 ? `${bytes(Math.round(rate))}/s` : undefined,
    `${bytes(wireBytes)} sent`,
    left === undefined ? undefined : `${duration(left)} left`,
  ]
    .filter((part) => part !== undefined)
    .join(' · ');
}

/** Never 100 before the end. */
export function percent({ doneBytes, totalBytes }: ReplicationProgressView): number {
  return totalBytes <= 0 ? 0 : Math.min(100, Math.floor((doneBytes / totalBytes) * 100));
}

/** The copy that is under way, if any: one that sends before one that applies. */
export function currentProgress(
  activities: readonly ReplicationActivity[],
): ReplicationProgressView | undefined {
  return activities.find((activity) => activity.progress !== undefined)?.progress;
}
