/** Recovery points after they were made: listing, deleting, hashing, and removal of what no point needs any more. */
import { createHash } from 'node:crypto';
import { extentEnd, intersectExtent } from '../domain/extents.ts';
import type { ProtectedItemId } from '../domain/ids.ts';
import { blobNames } from '../domain/names.ts';
import type { ReplicaBlob, VaultStorage } from '../domain/ports.ts';
import type { Extent, RecoveryPoint } from '../domain/replication.ts';
import { MiB } from '../domain/units.ts';
import { mapBounded } from './budget.ts';
import { decodePoint, manifestNames } from './journal/manifests.ts';

export { pruneJournal } from './journal/prune.ts';

const REQUESTS_AT_ONCE = 8;
const HASH_READ_BYTES = 4 * MiB;
const ZEROS = Buffer.alloc(HASH_READ_BYTES);

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
export async function hashSnapshot(
  storage: VaultStorage,
  blob: string,
  snapshotId: string,
  bytes: number,
  signal?: AbortSignal,
): Promise<string> {
  const replica = storage.replica(blob);
  const hash = createHash('sha256');
  let at = 0;
  for await (const extent of replica.ranges(snapshotId, signal)) {
    const inside = intersectExtent(extent, { offset: 0, length: bytes });
    if (inside === null) break;
    hashZeros(hash, inside.offset - at);
    await hashData(hash, replica, snapshotId, inside, signal);
    at = extentEnd(inside);
  }
  hashZeros(hash, bytes - at);
  return hash.digest('hex');
}

async function hashData(
  hash: ReturnType<typeof createHash>,
  replica: ReplicaBlob,
  snapshotId: string,
  range: Extent,
  signal?: AbortSignal,
): Promise<void> {
  const end = range.offset + range.length;
  for (let at = range.offset; at < end; at += HASH_READ_BYTES) {
    hash.update(await replica.read(snapshotId, at, Math.min(HASH_READ_BYTES, end - at), signal));
  }
}

function hashZeros(hash: ReturnType<typeof createHash>, length: number): void {
  for (let left = length; left > 0; left -= HASH_READ_BYTES) {
    hash.update(ZEROS.subarray(0, Math.min(left, HASH_READ_BYTES)));
  }
}
