/** Turns an applied barrier into a recovery point. */
import { DrError } from '../../domain/errors.ts';
import { blobNames, recoveryPointId } from '../../domain/names.ts';
import type { Barrier, PointDisk, RecoveryPoint } from '../../domain/replication.ts';
import { mapBounded } from '../budget.ts';
import { decodePoint, listPointNames, readStoredPoint } from '../journal/manifests.ts';
import { signRecord } from '../journal/signed-record.ts';
import { pinnedPoints } from '../pins.ts';
import type { ApplyRequest } from './apply-request.ts';
import type { Replica } from './replica.ts';
import { decodeState, setState } from './replica.ts';

const DISKS_AT_ONCE = 4;

/**
 * Makes the point of a barrier that every one of `replicas` holds, or finds it made. Snapshots are taken first, then the
 * manifest decides whose snapshots are the point; only then are the others deleted, because an older attempt may
 * be between its snapshots and its manifest. An attempt that lost a replica meanwhile makes no manifest: the newer
 * one may have made the point. Null: somebody has made it and deleted it again.
 * @throws DR_REPLICATION_FENCED, DR_JOURNAL_GAP, DR_STORAGE_…
 */
export async function ensurePoint(
  request: ApplyRequest,
  barrier: Barrier,
  replicas: readonly Replica[],
): Promise<{ readonly point: RecoveryPoint; readonly created: boolean } | null> {
  const found = await readPoint(request, barrier);
  const created = found === 'none' && (await makePoint(request, barrier, replicas));
  const point = found === 'none' ? await readPoint(request, barrier) : found;
  if (point === 'none') {
    throw new DrError('DR_JOURNAL_GAP', { item: request.item, reason: `${manifestName(barrier)} vanished` });
  }
  if (point === 'gone') return null;
  await deleteOrphans(request, point, replicas);
  return { point, created };
}

/** False: another attempt was first. */
async function makePoint(
  request: ApplyRequest,
  barrier: Barrier,
  replicas: readonly Replica[],
): Promise<boolean> {
  const disks = await mapBounded(replicas, DISKS_AT_ONCE, snapshotDisk);
  const point: RecoveryPoint = {
    version: 1,
    pointId: recoveryPointId(barrier.number),
    itemId: barrier.itemId,
    barrierNumber: barrier.number,
    consistency: barrier.consistency,
    sourceTime: barrier.sourceTime,
    durableTime: barrier.durableTime,
    processedTime: new Date().toISOString(),
    snapshotName: barrier.snapshotName,
    disks,
  };
  const body = signRecord(point, request.key);
  await mapBounded(replicas, DISKS_AT_ONCE, provePen);
  return (await request.storage.putOnce(manifestName(barrier), body, request.signal)) === 'created';
}

async function snapshotDisk(replica: Replica): Promise<PointDisk> {
  const { diskId, blob, writer, applied } = replica;
  const { capacityBytes, tail } = applied;
  const snapshotId = await writer.snapshot();
  return { diskId, replicaBlob: blob.name, snapshotId, capacityBytes, tail };
}

/** Writes what is there already: refused once another attempt has taken the pen. */
async function provePen(replica: Replica): Promise<void> {
  await setState(replica, replica.applied);
}

async function readPoint(request: ApplyRequest, barrier: Barrier): Promise<RecoveryPoint | 'none' | 'gone'> {
  const name = manifestName(barrier);
  const stored = await readStoredPoint(request.storage, name, request.signal);
  if (stored.state === 'none') return 'none';
  return stored.state === 'standing' ? decodePoint(name, stored.manifest, request.key) : 'gone';
}

/** Snapshots that no manifest names: of this barrier, or of older ones whose manifest is gone and that no run copies. */
async function deleteOrphans(
  request: ApplyRequest,
  point: RecoveryPoint,
  replicas: readonly Replica[],
): Promise<void> {
  const { storage, item, signal } = request;
  const names = await listPointNames(storage, item, signal);
  const numbers = new Set(names.map(({ barrierNumber }) => barrierNumber));
  const pinned = await pinnedPoints(storage, item, Date.now(), signal);
  for (const { blob } of replicas) {
    const named = point.disks.find((disk) => disk.replicaBlob === blob.name)?.snapshotId;
    for (const { snapshotId, metadata } of await blob.snapshots()) {
      const barrier = decodeState(metadata)?.barrier ?? Infinity;
      const isOrphan =
        barrier === point.barrierNumber
          ? snapshotId !== named
          : barrier < point.barrierNumber && !numbers.has(barrier) && !pinned.has(recoveryPointId(barrier));
      if (isOrphan) await blob.deleteSnapshot(snapshotId);
    }
  }
}

function manifestName(barrier: Barrier): string {
  return blobNames.point(barrier.itemId, barrier.sourceTime, recoveryPointId(barrier.number));
}
