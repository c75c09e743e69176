/**
 * Brings replicas up to the stream: runs of barriers strictly in order, all disks of one before the next begins, and a
 * recovery point for every `point` barrier, with which a run ends. The metadata of each replica says which barrier it holds; that is the
 * only memory, so any attempt goes on where the last one ended. Fencing makes older attempts unable to write.
 */
import type { Barrier, RecoveryPoint } from '../../domain/replication.ts';
import { mapBounded } from '../budget.ts';
import { readBarrier } from '../journal/barriers.ts';
import { listPointNames } from '../journal/manifests.ts';
import { BarrierMeter, readPending } from '../journal/pending.ts';
import { applyToDisk } from './apply-disk.ts';
import type { ApplyRequest, ApplyResult } from './apply-request.ts';
import { readingFor, runsOf } from './barrier-runs.ts';
import { ensurePoint } from './recovery-point.ts';
import type { Replica } from './replica.ts';
import { openReplica } from './replica.ts';

const DISKS_AT_ONCE = 8;

/**
 * Applies what is durable and not applied yet. `points` are those this call made, oldest first, with those of
 * barriers it applied although another attempt had made the point. Leases are given back in the end.
 * Memory is bounded for the whole process, see seats.ts.
 * @throws DR_REPLICATION_FENCED, DR_SEGMENT_CORRUPT, DR_JOURNAL_GAP, DR_KEY_MISSING, DR_STORAGE_…
 */
export async function applyPending(request: ApplyRequest): Promise<ApplyResult> {
  const opened: Replica[] = [];
  try {
    const replicas = await mapBounded(request.disks, DISKS_AT_ONCE, async (disk) => {
      const replica = await openReplica(request, disk);
      opened.push(replica);
      return replica;
    });
    return await applyInOrder(request, replicas);
  } finally {
    await Promise.all(opened.map((replica) => replica.writer.release()));
  }
}

async function applyInOrder(request: ApplyRequest, replicas: readonly Replica[]): Promise<ApplyResult> {
  const points: RecoveryPoint[] = [];
  let appliedBarrier = Math.min(...replicas.map((replica) => replica.applied.barrier));
  const interrupted = await finishPoint(request, replicas, appliedBarrier);
  if (interrupted !== null) points.push(interrupted);

  const { pending, newest } = await readPending(request, appliedBarrier);
  const meter = new BarrierMeter(pending, newest, (progress) => request.onProgress(progress));
  meter.tell();
  let newestPoint = pending.length === 0 ? 0 : await newestPointOf(request);
  for (const run of runsOf(pending)) {
    const last = run.at(-1) ?? run[0];
    await mapBounded(replicas, DISKS_AT_ONCE, (replica) =>
      applyToDisk(request, run, replica, {
        reading: readingFor(newestPoint >= replica.joinedAtBarrier, run[0].durableTime, Date.now()),
        onApplied: (segment) => meter.segmentApplied(segment),
      }),
    );
    const made = await pointOf(request, last, replicas);
    if (made !== null) {
      points.push(made.point);
      newestPoint = last.number;
    }
    appliedBarrier = last.number;
    meter.barrierApplied(appliedBarrier);
  }
  return { appliedBarrier, points, moreWaiting: newest > appliedBarrier, lag: meter.lag };
}

/** Barrier of the newest recovery point; 0 before the first. Its snapshots hold what the replicas held then. */
async function newestPointOf({ storage, item, signal }: ApplyRequest): Promise<number> {
  return (await listPointNames(storage, item, signal))[0]?.barrierNumber ?? 0;
}

/** An earlier attempt may have ended between the last page and the manifest. */
async function finishPoint(
  request: ApplyRequest,
  replicas: readonly Replica[],
  appliedBarrier: number,
): Promise<RecoveryPoint | null> {
  if (!isWholeAt(appliedBarrier, replicas)) return null;
  const { storage, item, signal, key } = request;
  const barrier = await readBarrier(storage, item, appliedBarrier, signal, key);
  const made = barrier === null ? null : await pointOf(request, barrier, replicas);
  return made?.created === true ? made.point : null;
}

/** Null: the barrier is none of a point, or the replicas are beyond it. They are while a disk that joined catches up. */
async function pointOf(
  request: ApplyRequest,
  barrier: Barrier,
  replicas: readonly Replica[],
): Promise<{ readonly point: RecoveryPoint; readonly created: boolean } | null> {
  if (barrier.kind !== 'point' || !isWholeAt(barrier.number, replicas)) return null;
  return ensurePoint(request, barrier, membersAt(barrier.number, replicas));
}

function isWholeAt(barrierNumber: number, replicas: readonly Replica[]): boolean {
  const members = membersAt(barrierNumber, replicas);
  return (
    barrierNumber > 0 &&
    members.length > 0 &&
    members.every((replica) => replica.applied.barrier === barrierNumber)
  );
}

/** Replicas of the disks that the barrier knows. */
function membersAt(barrierNumber: number, replicas: readonly Replica[]): Replica[] {
  return replicas.filter((replica) => replica.joinedAtBarrier <= barrierNumber);
}
