/** Applies one barrier to one replica. */
import { DrError } from '../../domain/errors.ts';
import type { Barrier, BarrierDisk, SegmentRef } from '../../domain/replication.ts';
import { readSegment } from '../segment/reader.ts';
import type { ApplyRequest } from './apply-request.ts';
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
  onApplied: (wireBytes: number) => void,
): Promise<void> {
  if (replica.applied.barrier >= barrier.number) return;
  const disk = diskOf(request, barrier, replica);
  const pages = new PageWriter(replica.writer, request.signal);
  try {
    await applySegments(request, replica, disk, pages, onApplied);
    await pages.flush();
  } finally {
    await pages.settled();
  }
  const applied: AppliedState = { barrier: barrier.number, tail: disk.tail };
  await replica.writer.setMetadata(encodeState(applied));
  replica.applied = applied;
}

async function applySegments(
  request: ApplyRequest,
  replica: Replica,
  disk: BarrierDisk,
  pages: PageWriter,
  onApplied: (wireBytes: number) => void,
): Promise<void> {
  const { item, key } = request;
  const { diskId, capacityBytes } = replica;
  let { tail } = replica.applied;
  let next = fetchSegment(request, disk.segments[0]);
  for (const [index, ref] of disk.segments.entries()) {
    const bytes = await next;
    next = fetchSegment(request, disk.segments[index + 1]);
    for (const record of readSegment(bytes, { item, diskId, capacityBytes, ref, tail, key })) {
      request.signal.throwIfAborted();
      if (record.kind === 'write') await pages.write(record.offset, record.data);
      else await pages.clear(record.offset, record.length);
    }
    tail = { nextSeq: ref.lastSeq + 1, hash: ref.sha256 };
    onApplied(ref.wireBytes);
  }
  if (tail.nextSeq !== disk.tail.nextSeq || tail.hash !== disk.tail.hash) {
    throw gap(request, `the segments of disk ${diskId} do not end where the barrier says`);
  }
}

/** Begun one segment ahead of its use. */
function fetchSegment(request: ApplyRequest, ref: SegmentRef | undefined): Promise<Uint8Array> {
  if (ref === undefined) return Promise.resolve(new Uint8Array(0));
  const fetching = request.storage.get(ref.blob, request.signal).then((stored) => {
    if (stored === null) throw gap(request, `segment ${ref.blob} does not exist`);
    return stored.body;
  });
  // A failure is met when its turn comes.
  fetching.catch(() => undefined);
  return fetching;
}

function diskOf(request: ApplyRequest, barrier: Barrier, replica: Replica): BarrierDisk {
  const disk = barrier.disks.find((candidate) => candidate.diskId === replica.diskId);
  if (disk === undefined) {
    throw gap(request, `barrier ${barrier.number} does not know disk ${replica.diskId}`);
  }
  if (disk.capacityBytes !== replica.capacityBytes) {
    const reason = `disk ${replica.diskId} has ${disk.capacityBytes} bytes in barrier ${barrier.number}, its replica ${replica.capacityBytes}`;
    throw gap(request, reason);
  }
  return disk;
}

function gap(request: ApplyRequest, reason: string): DrError {
  return new DrError('DR_JOURNAL_GAP', { item: request.item, reason });
}
