/** The end of recovery points: by retention, by commit, one by one. Pinned points stay. See `StoredPoint` for the steps. */
import type { ProtectedItemId, RecoveryPointId } from '../domain/ids.ts';
import { blobNames } from '../domain/names.ts';
import type { VaultStorage } from '../domain/ports.ts';
import type { RecoveryPoint } from '../domain/replication.ts';
import type { RetentionPolicy } from '../domain/retention.ts';
import { pointsToPrune, undecidedPoints } from '../domain/retention.ts';
import { mapBounded } from './budget.ts';
import type { PointName } from './journal/manifests.ts';
import {
  DELETED_POINT,
  decodePointOrNull,
  encodeLeaving,
  listAllPointNames,
  listPointNames,
  readListedPoint,
  readStoredPoint,
} from './journal/manifests.ts';
import { pinnedPoints } from './pins.ts';

const REQUESTS_AT_ONCE = 8;
/** No attempt lives so long that began before its point was deleted: what says so may go. */
const DELETED_MS_MAX = 24 * 3_600_000;

export interface PrunedPoints {
  /** Oldest first. */
  readonly deleted: RecoveryPointId[];
}

/** Deletes the points that have outlived the policy at `nowMs`, see domain/retention.ts. Safe when repeated or interrupted. */
export async function prunePoints(
  storage: VaultStorage,
  item: ProtectedItemId,
  policy: RetentionPolicy,
  nowMs: number,
  signal?: AbortSignal,
): Promise<PrunedPoints> {
  const { standing: names, deleted } = await listAllPointNames(storage, item, signal);
  await forgetDeleted(storage, deleted, nowMs);
  const undecided = new Set(undecidedPoints(names, policy, nowMs));
  const points = await mapBounded(names, REQUESTS_AT_ONCE, async (listed) => {
    const manifest = undecided.has(listed) ? await readListedPoint(storage, listed, signal) : null;
    return { ...listed, consistency: manifest?.consistency ?? ('crash' as const) };
  });
  return deleteUnpinned(storage, item, pointsToPrune(points, policy, nowMs), nowMs, signal);
}

/** Commit: the point the machine runs on stays, and what a run copies just now; the others go. */
export async function deleteOtherPoints(
  storage: VaultStorage,
  item: ProtectedItemId,
  keep: RecoveryPointId,
  nowMs: number,
  signal?: AbortSignal,
): Promise<PrunedPoints> {
  const names = await listPointNames(storage, item, signal);
  const others = names.filter((name) => name.pointId !== keep).toReversed();
  return deleteUnpinned(storage, item, others, nowMs, signal);
}

/** Pins or not. The point ends with its manifest; snapshots that outlive an interrupted call are removed with the next point that is made. */
export async function deletePoint(storage: VaultStorage, point: RecoveryPoint): Promise<void> {
  await storage.put(blobNames.point(point.itemId, point.sourceTime, point.pointId), DELETED_POINT);
  await deleteSnapshots(storage, point);
}

async function forgetDeleted(
  storage: VaultStorage,
  deleted: readonly PointName[],
  nowMs: number,
): Promise<void> {
  const old = deleted.filter(({ sourceTime }) => nowMs - Date.parse(sourceTime) > DELETED_MS_MAX);
  await mapBounded(old, REQUESTS_AT_ONCE, ({ name }) => storage.delete(name));
}

async function deleteUnpinned(
  storage: VaultStorage,
  item: ProtectedItemId,
  candidates: readonly PointName[],
  nowMs: number,
  signal?: AbortSignal,
): Promise<PrunedPoints> {
  const deleted: RecoveryPointId[] = [];
  if (candidates.length === 0) return { deleted };
  const pinned = await pinnedPoints(storage, item, nowMs, signal);
  for (const candidate of candidates.filter(({ pointId }) => !pinned.has(pointId))) {
    if (await deleteUnlessPinned(storage, item, candidate, nowMs, signal)) deleted.push(candidate.pointId);
  }
  return { deleted };
}

/**
 * A pin set since the pins were listed: the manifest comes back. Whoever pins looks at the manifest behind the pin, so
 * either it is not standing, or the pin is found here before anything is decided.
 */
async function deleteUnlessPinned(
  storage: VaultStorage,
  item: ProtectedItemId,
  { name, pointId }: PointName,
  nowMs: number,
  signal?: AbortSignal,
): Promise<boolean> {
  const stored = await readStoredPoint(storage, name, signal);
  if (stored.state === 'none' || stored.state === 'deleted') return false;
  const { manifest, etag } = stored;
  const leaving = await storage.put(name, encodeLeaving(manifest), etag);
  if (leaving === null) return false;
  const isPinned = (await pinnedPoints(storage, item, nowMs, signal)).has(pointId);
  const decided = await storage.put(name, isPinned ? manifest : DELETED_POINT, leaving);
  if (isPinned || decided === null) return false;
  const point = decodePointOrNull(name, manifest);
  if (point !== null) await deleteSnapshots(storage, point);
  return true;
}

async function deleteSnapshots(storage: VaultStorage, point: RecoveryPoint): Promise<void> {
  await mapBounded(point.disks, REQUESTS_AT_ONCE, (disk) =>
    storage.replica(disk.replicaBlob).deleteSnapshot(disk.snapshotId),
  );
}
