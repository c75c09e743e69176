/** From the segments of a barrier to writes on whatever holds the disk. */
import { DrError } from '../../domain/errors.ts';
import type { DiskId, ProtectedItemId } from '../../domain/ids.ts';
import type { BarrierDisk, ChainTail, SegmentRef } from '../../domain/replication.ts';
import type { ItemKey } from '../keys.ts';
import { openSegment } from '../segment/open-segment.ts';
import type { FetchOptions } from './fetch-ahead.ts';
import { fetchAhead } from './fetch-ahead.ts';
import type { PageWriter } from './page-writer.ts';

/** A segment and the end of the chain it has to follow. */
export interface ChainedSegment {
  readonly ref: SegmentRef;
  readonly tail: ChainTail;
}

/** The disk a segment is read for. */
export interface SegmentDisk {
  readonly item: ProtectedItemId;
  readonly diskId: DiskId;
  readonly capacityBytes: number;
  readonly key: ItemKey;
}

/** @throws DR_JOURNAL_GAP when the segments do not lead from `tail` to where the barrier says */
export function chainSegments(item: ProtectedItemId, disk: BarrierDisk, tail: ChainTail): ChainedSegment[] {
  let end = tail;
  const chain = disk.segments.map((ref) => {
    const chained = { ref, tail: end };
    end = { nextSeq: ref.lastSeq + 1, hash: ref.sha256 };
    return chained;
  });
  if (end.nextSeq === disk.tail.nextSeq && end.hash === disk.tail.hash) return chain;
  throw journalGap(item, `the segments of disk ${disk.diskId} do not end where the barrier says`);
}

/**
 * Writes all records in order, further segments fetched ahead. What was written may still be in flight: `pages.flush`.
 * @throws DR_SEGMENT_CORRUPT, DR_JOURNAL_GAP, DR_KEY_MISSING
 */
export async function writeSegments(
  disk: SegmentDisk,
  chain: readonly ChainedSegment[],
  pages: PageWriter,
  options: FetchOptions & { onWritten(ref: SegmentRef): void },
): Promise<void> {
  for await (const { ref, tail, bytes } of fetchAhead(chain, options)) {
    for await (const record of openSegment(bytes, { ...disk, ref, tail })) {
      options.signal.throwIfAborted();
      if (record.kind === 'write') await pages.write(record.offset, record.data);
      else await pages.clear(record.offset, record.length);
    }
    options.onWritten(ref);
  }
}

export function journalGap(item: string, reason: string): DrError {
  return new DrError('DR_JOURNAL_GAP', { item, reason });
}
