/** Applies one barrier to one replica. */
import type { Barrier, BarrierDisk, SegmentRef } from '../../domain/replication.ts';
import type { ApplyRequest } from './apply-request.ts';
import { chainSegments, journalGap, writeSegments } from './apply-segments.ts';
import { PageWriter } from './page-writer.ts';
import type { Replica } from './replica.ts';
import { growReplica, setState } from './replica.ts';

/**
 * A replica that has the barrier already is left as it is. Interrupted, it says it has the barrier before, and
 * applying all of this one again gives the same pages. A disk that has grown grows its replica first.
 * @throws DR_SEGMENT_CORRUPT, DR_JOURNAL_GAP, DR_REPLICATION_FENCED
 */
export async function applyToDisk(
  request: ApplyRequest,
  barrier: Barrier,
  replica: Replica,
  onApplied: (segment: SegmentRef) => void,
): Promise<void> {
  if (replica.applied.barrier >= barrier.number) return;
  const { item, key, signal } = request;
  const disk = diskOf(request, barrier, replica);
  await growReplica(replica, disk.capacityBytes);
  const chain = chainSegments(item, disk, replica.applied.tail);
  const { diskId, capacityBytes } = disk;
  const pages = new PageWriter(replica.writer, signal);
  try {
    await writeSegments({ item, diskId, capacityBytes, key }, chain, pages, {
      signal,
      fetch: (ref) => fetchSegment(request, ref),
      onWritten: onApplied,
    });
    await pages.flush();
  } finally {
    await pages.settled();
  }
  await setState(replica, { barrier: barrier.number, tail: disk.tail, capacityBytes });
}

async function fetchSegment(request: ApplyRequest, ref: SegmentRef): Promise<Uint8Array> {
  const stored = await request.storage.get(ref.blob, request.signal);
  if (stored === null) throw journalGap(request.item, `segment ${ref.blob} does not exist`);
  return stored.body;
}

function diskOf(request: ApplyRequest, barrier: Barrier, replica: Replica): BarrierDisk {
  const disk = barrier.disks.find((candidate) => candidate.diskId === replica.diskId);
  if (disk === undefined) {
    throw journalGap(request.item, `barrier ${barrier.number} does not know disk ${replica.diskId}`);
  }
  return disk;
}
