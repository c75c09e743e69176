/** A replica, or one of its snapshots, as a source of bytes. */
import { coalesceExtents, intersectExtent } from '../../domain/extents.ts';
import type { DiskSource, ReplicaBlob } from '../../domain/ports.ts';
import type { Extent } from '../../domain/replication.ts';

/** The first `capacityBytes` bytes of the blob, without its footer; a null snapshot is the blob as it is now. Needs no closing. */
export function openReplicaSource(
  replica: ReplicaBlob,
  snapshotId: string | null,
  capacityBytes: number,
): DiskSource {
  return {
    capacityBytes,
    async read(offset, into, signal) {
      into.set(await replica.read(snapshotId, offset, into.length, signal));
    },
    async dataExtents(range, signal) {
      const found: Extent[] = [];
      for await (const extent of replica.ranges(snapshotId, signal, range)) {
        const inside = intersectExtent(extent, range);
        if (inside !== null) found.push(inside);
      }
      return coalesceExtents(found, 0);
    },
    close: () => Promise.resolve(),
  };
}
