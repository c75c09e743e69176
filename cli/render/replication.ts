/** What replication is doing now, in one line: percent, rate and time left follow from the raw facts. */
import type { ReplicationActivity, ReplicationProgressView, ScrubTotalsView } from '../../api/replication.ts';
import { bytes, duration, moment, secondsBetween } from './text.ts';

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

/** How far replicas are behind what is durable; undefined: nothing is applied just now. */
export function applyLagLine(activities: readonly ReplicationActivity[]): string | undefined {
  const lagging = activities.find((activity) => activity.applyLagBytes !== undefined);
  if (lagging === undefined) return undefined;
  const { applyLagBytes = 0, applyLagSeconds = 0 } = lagging;
  return applyLagBytes === 0 && applyLagSeconds === 0
    ? 'all that is durable is applied'
    : `${bytes(applyLagBytes)}, ${duration(applyLagSeconds)} behind`;
}

/** What scrubbing has come to, in one line; undefined: nothing was compared yet. */
export function scrubLine(activities: readonly ReplicationActivity[]): string | undefined {
  const scrub = activities.find((activity) => activity.scrub !== undefined)?.scrub;
  if (scrub === undefined || scrub.lastAt === null) return undefined;
  const found = scrub.differingBlocks === 0 ? 'all equal' : `${scrub.differingBlocks} blocks differed`;
  return `${bytes(scrub.bytes)} compared, ${found} · last ${moment(scrub.lastAt)} · ${passPercent(scrub)} % of this pass`;
}

function passPercent({ disks }: ScrubTotalsView): number {
  const sum = (of: (disk: ScrubTotalsView['disks'][number]) => number) =>
    disks.reduce((all, disk) => all + of(disk), 0);
  const blocks = sum((disk) => disk.blocks);
  return blocks === 0 ? 0 : Math.floor((100 * sum((disk) => disk.comparedBlocks)) / blocks);
}
