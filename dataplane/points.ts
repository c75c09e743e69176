/** Recovery points after they were made: listing, deleting, hashing. */
import type { ProtectedItemId, RecoveryPointId } from '../domain/ids.ts';
import type { VaultStorage } from '../domain/ports.ts';
import type { RecoveryPoint } from '../domain/replication.ts';
import { mapBounded } from './budget.ts';
import { hashDisk } from './compare/hash-disk.ts';
import type { PointName } from './journal/manifests.ts';
import { listPointNames, readListedPoint } from './journal/manifests.ts';
import type { ItemKey } from './keys.ts';
import { openReplicaSource } from './source/replica-source.ts';

export { pruneJournal } from './journal/prune.ts';
export { deleteOtherPoints, deletePoint, prunePoints } from './prune-points.ts';

const REQUESTS_AT_ONCE = 8;

/**
 * Newest first. A point whose manifest cannot be understood or, with the item's key, was forged is not among them; the
 * others stay usable.
 */
export async function listPoints(
  storage: VaultStorage,
  item: ProtectedItemId,
  signal?: AbortSignal,
  key?: ItemKey,
): Promise<RecoveryPoint[]> {
  return readPoints(storage, await listPointNames(storage, item, signal), signal, key);
}

/** A page, newest first, behind the point `after`. Only the manifests of the page are read. */
export async function pagePoints(
  storage: VaultStorage,
  item: ProtectedItemId,
  page: { readonly after?: RecoveryPointId; readonly limit: number },
  signal?: AbortSignal,
): Promise<{ readonly items: RecoveryPoint[]; readonly nextCursor?: RecoveryPointId }> {
  const before = page.after === undefined ? Infinity : Number(page.after.slice(1));
  const rest = (await listPointNames(storage, item, signal)).filter((name) => name.barrierNumber < before);
  const shown = rest.slice(0, page.limit);
  const last = shown.at(-1);
  const items = await readPoints(storage, shown, signal);
  return rest.length > shown.length && last !== undefined ? { items, nextCursor: last.pointId } : { items };
}

async function readPoints(
  storage: VaultStorage,
  names: readonly PointName[],
  signal?: AbortSignal,
  key?: ItemKey,
): Promise<RecoveryPoint[]> {
  const points = await mapBounded(names, REQUESTS_AT_ONCE, (name) =>
    readListedPoint(storage, name, signal, key),
  );
  return points.filter((point) => point !== null);
}

/** SHA-256, hexadecimal, of the first `bytes` bytes of a snapshot. Empty ranges are not read. */
export function hashSnapshot(
  storage: VaultStorage,
  blob: string,
  snapshotId: string,
  bytes: number,
  signal = new AbortController().signal,
): Promise<string> {
  const source = openReplicaSource(storage.replica(blob), snapshotId, bytes);
  return hashDisk(source, bytes, signal, () => undefined);
}
