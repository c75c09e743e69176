/** Which barriers are applied as one, and whether it is worth reading what a replica holds. */
import type { Barrier } from '../../domain/replication.ts';
import { MiB } from '../../domain/units.ts';
import type { BarrierRun } from './apply-disk.ts';
import type { Reading } from './plan-writes.ts';

/** An interrupted run begins anew: so much is applied twice at most, and one barrier. */
const RUN_WIRE_BYTES_MAX = 256 * MiB;
/** Behind by more than this, the applier spends no request on finding out what has not changed. */
const SKIPPING_LAG_SECONDS_MAX = 30;

/** Consecutive barriers up to and including the next point. All disks of a run keep their size. */
export function runsOf(pending: readonly Barrier[]): BarrierRun[] {
  const runs: [Barrier, ...Barrier[]][] = [];
  for (const barrier of pending) {
    const run = runs.at(-1);
    const before = run?.at(-1);
    if (run === undefined || before === undefined || !mayJoin(run, before, barrier)) runs.push([barrier]);
    else run.push(barrier);
  }
  return runs;
}

function mayJoin(run: BarrierRun, before: Barrier, barrier: Barrier): boolean {
  const sizes = new Map(before.disks.map((disk) => [disk.diskId, disk.capacityBytes]));
  return (
    before.kind === 'progress' &&
    barrier.disks.every(
      ({ diskId, capacityBytes }) => (sizes.get(diskId) ?? capacityBytes) === capacityBytes,
    ) &&
    wireBytesOf(run) + wireBytesOf([barrier]) <= RUN_WIRE_BYTES_MAX
  );
}

export function wireBytesOf(barriers: readonly Barrier[]): number {
  return barriers
    .flatMap((barrier) => barrier.disks)
    .flatMap((disk) => disk.segments)
    .reduce((sum, segment) => sum + segment.wireBytes, 0);
}

/**
 * Before a replica has a snapshot, nothing can be saved by leaving a page as it is: a first copy reads nothing.
 * `durableTime` is that of the oldest barrier that is not applied.
 */
export function readingFor(hasSnapshot: boolean, durableTime: string, nowMs: number): Reading {
  if (!hasSnapshot) return 'never';
  const lagSeconds = (nowMs - Date.parse(durableTime)) / 1_000;
  return lagSeconds > SKIPPING_LAG_SECONDS_MAX ? 'toSaveRequests' : 'toSkipUnchanged';
}
