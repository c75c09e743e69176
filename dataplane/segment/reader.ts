/** Checks a segment and hands out its records, on the calling thread; `openSegment` does it in other threads. */
import { openUnit } from './open-unit.ts';
import type { SegmentRecord } from './records.ts';
import { recordsOf } from './records.ts';
import type { ExpectedSegment } from './structure.ts';
import { checkHashes, checkPlace, checkTrailerSeal, hashWhole, locateUnits, refusalOf } from './structure.ts';

export type { SegmentRecord } from './records.ts';
export type { ExpectedSegment } from './structure.ts';

/**
 * Records of a segment in order, one unit in memory at a time; `data` is valid until the next unit is asked for.
 * The whole is verified before the first record is handed out: structure, counts, SHA-256, place in the chain.
 * Every unit is then authenticated and every record's checksum compared before its first record is handed out.
 * @throws DR_SEGMENT_CORRUPT naming the blob, DR_JOURNAL_GAP when it follows another segment than the chain's last,
 * DR_KEY_MISSING when another data key sealed it
 */
export function* readSegment(bytes: Uint8Array, expected: ExpectedSegment): Generator<SegmentRecord> {
  const body = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const refuse = refusalOf(expected);
  const { header, units } = locateUnits(body, refuse);
  checkHashes(body, hashWhole(body), expected, refuse);
  checkPlace({ header, units }, expected, refuse);
  const { epoch } = header;
  const key = expected.key.segmentKey(header.diskId, header.salt);
  checkTrailerSeal(body, { epoch, seq: expected.ref.lastSeq + 1, key }, refuse);
  for (const unit of units) {
    const opened = openUnit(body, { unit, epoch, key, capacityBytes: expected.capacityBytes });
    if ('fault' in opened) throw refuse(opened.fault);
    yield* recordsOf(opened.payload, unit.frame.recordCount);
  }
}
