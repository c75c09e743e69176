/** Opens a segment in the threads of this process. */
import type { ExpectedSegment, SegmentRecord } from './reader.ts';
import { readSegment } from './reader.ts';

/**
 * Records of a segment in order; `data` is valid until the next record is asked for. The promises and the refusals
 * are those of `readSegment`: the whole is verified before the first record is handed out.
 * @throws DR_SEGMENT_CORRUPT naming the blob, DR_JOURNAL_GAP when it follows another segment than the chain's last,
 * DR_KEY_MISSING when another data key sealed it
 */
export async function* openSegment(
  bytes: Uint8Array,
  expected: ExpectedSegment,
): AsyncGenerator<SegmentRecord> {
  for (const record of readSegment(bytes, expected)) yield await Promise.resolve(record);
}
