/** Recovery points after they were made: listing, deleting, hashing, and removal of what no point needs any more. */
import type { ProtectedItemId } from '../domain/ids.ts';
import { blobNames } from '../domain/names.ts';
import type { VaultStorage } from '../domain/ports.ts';
import type { RecoveryPoint } from '../domain/replication.ts';
import { mapBounded } from './budget.ts';
import { hashDisk } from './compare/hash-disk.ts';
import { decodePoint, manifestNames } from './journal/manifests.ts';
import { openReplicaSource } from './source/replica-source.ts';

export { pruneJournal } from './journal/prune.ts';

const REQUESTS_AT_ONCE = 8;

/** Newest first. */
export async function listPoints(
  storage: VaultStorage,
  item: ProtectedItemId,
  signal?: AbortSignal,
): Promise<RecoveryPoint[]> {
  const names = await manifestNames(storage, item, signal);
  const points = await mapBounded(names, REQUESTS_AT_ONCE, async (name) => {
    const stored = await storage.get(name, signal);
    // Deleted since it was listed.
    return stored === null ? null : decodePoint(name, stored.body);
  });
  return points.filter((point) => point !== null).toSorted((a, b) => b.barrierNumber - a.barrierNumber);
}

/** The point ends with its manifest; snapshots that outlive an interrupted call are removed with the next point that is made. */
export async function deletePoint(storage: VaultStorage, point: RecoveryPoint): Promise<void> {
  await storage.delete(blobNames.point(point.itemId, point.sourceTime, point.pointId));
  await mapBounded(point.disks, REQUESTS_AT_ONCE, (disk) =>
    storage.replica(disk.replicaBlob).deleteSnapshot(disk.snapshotId),
  );
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
