/** Applies one barrier to one replica. */
import type { Barrier, BarrierDisk, SegmentRef } from '../../domain/replication.ts';
import type { ApplyRequest } from './apply-request.ts';
import { chainSegments, journalGap, writeSegments } from './apply-segments.ts';
import { PageWriter } from './page-writer.ts';
import type { AppliedState, Replica } from './replica.ts';
import { encodeState } from './replica.ts';

/**
 * A replica that has the barrier already is left as it is. Interrupted, it says it has the barrier before, and
 * applying all of this one again gives the same pages.
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
  const chain = chainSegments(item, disk, replica.applied.tail);
  const { diskId, capacityBytes } = replica;
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
  const applied: AppliedState = { barrier: barrier.number, tail: disk.tail };
  await replica.writer.setMetadata(encodeState(applied));
  replica.applied = applied;
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
  if (disk.capacityBytes !== replica.capacityBytes) {
    const reason = `disk ${replica.diskId} has ${disk.capacityBytes} bytes in barrier ${barrier.number}, its replica ${replica.capacityBytes}`;
    throw journalGap(request.item, reason);
  }
  return disk;
}
