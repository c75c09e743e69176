/** What a segment is made of, and whether it is the one that was expected: every check but those of its units. */
import { createHash } from 'node:crypto';
import { DrError } from '../../domain/errors.ts';
import type { DiskId, ProtectedItemId } from '../../domain/ids.ts';
import type { ChainTail, SegmentRef } from '../../domain/replication.ts';
import type { ItemKey } from '../keys.ts';
import { openSealed } from './cipher.ts';
import type { Frame, SegmentHeader } from './layout.ts';
import {
  FRAME_BYTES,
  HEADER_BYTES,
  SHA256_BYTES,
  TAG_BYTES,
  TRAILER_BYTES,
  TRAILER_COUNTS_BYTES,
  decodeFrame,
  decodeHeader,
  decodeTrailerCounts,
  isFrame,
  nonceOf,
} from './layout.ts';

/** What the stream says the segment is: anything else is refused. */
export interface ExpectedSegment {
  readonly item: ProtectedItemId;
  readonly diskId: DiskId;
  readonly capacityBytes: number;
  readonly ref: SegmentRef;
  /** End of the chain before this segment. */
  readonly tail: ChainTail;
  readonly key: ItemKey;
}

export interface LocatedUnit {
  readonly frame: Frame;
  /** Position of the frame in the segment. */
  readonly at: number;
}

interface Structure {
  readonly header: SegmentHeader;
  readonly units: readonly LocatedUnit[];
}

export interface WholeHashes {
  /** Of everything before the trailer's own hash, hexadecimal. */
  readonly covered: string;
  /** Of everything. */
  readonly whole: string;
}

export type Refuse = (reason: string, cause?: unknown) => DrError;

export function refusalOf(expected: ExpectedSegment): Refuse {
  return (reason, cause) =>
    new DrError('DR_SEGMENT_CORRUPT', { segment: expected.ref.blob, reason }, { cause });
}

export function locateUnits(body: Buffer, refuse: Refuse): Structure {
  if (body.length < HEADER_BYTES) throw refuse('torn: it ends inside the header');
  const header = decodeHeader(body.subarray(0, HEADER_BYTES));
  if (header === null) throw refuse('the header is altered or of another version');
  const units: LocatedUnit[] = [];
  let at = HEADER_BYTES;
  while (body.length - at >= FRAME_BYTES && isFrame(body, at)) {
    const frame = decodeFrame(body.subarray(at, at + FRAME_BYTES));
    const seq = header.firstSeq + units.length;
    if (frame === null || frame.seq !== seq) throw refuse(`the frame of unit ${seq} is altered`);
    const end = at + FRAME_BYTES + frame.sealedBytes + TAG_BYTES;
    if (end > body.length) throw refuse(`torn: it ends inside unit ${seq}`);
    units.push({ frame, at });
    at = end;
  }
  checkTrailerCounts(body, at, { header, units }, refuse);
  return { header, units };
}

function checkTrailerCounts(body: Buffer, at: number, { header, units }: Structure, refuse: Refuse): void {
  const last = header.firstSeq + units.length - 1;
  if (body.length - at < TRAILER_BYTES) throw refuse(`torn: it ends behind unit ${last} without a trailer`);
  if (body.length - at > TRAILER_BYTES) throw refuse(`what follows unit ${last} is neither unit nor trailer`);
  const counts = decodeTrailerCounts(body.subarray(at));
  const recordCount = units.reduce((sum, unit) => sum + unit.frame.recordCount, 0);
  if (counts?.unitCount !== units.length || counts.recordCount !== recordCount || counts.lastSeq !== last) {
    throw refuse('the trailer does not match the units');
  }
}

export function hashWhole(body: Buffer): WholeHashes {
  const hashAt = body.length - TRAILER_BYTES + TRAILER_COUNTS_BYTES;
  const hash = createHash('sha256').update(body.subarray(0, hashAt));
  const covered = hash.copy().digest('hex');
  return { covered, whole: hash.update(body.subarray(hashAt)).digest('hex') };
}

export function checkHashes(
  body: Buffer,
  hashes: WholeHashes,
  expected: ExpectedSegment,
  refuse: Refuse,
): void {
  const hashAt = body.length - TRAILER_BYTES + TRAILER_COUNTS_BYTES;
  if (body.toString('hex', hashAt, hashAt + SHA256_BYTES) !== hashes.covered) {
    throw refuse('its SHA-256 differs from the trailer');
  }
  if (hashes.whole !== expected.ref.sha256) throw refuse('its SHA-256 differs from the barrier');
}

export function checkPlace({ header, units }: Structure, expected: ExpectedSegment, refuse: Refuse): void {
  const { ref, tail, diskId, item, key } = expected;
  if (header.diskId !== diskId) throw refuse(`it belongs to disk ${header.diskId}`);
  if (header.firstSeq !== ref.firstSeq || header.firstSeq + units.length - 1 !== ref.lastSeq) {
    throw refuse('its sequence numbers differ from the barrier');
  }
  if (header.firstSeq !== tail.nextSeq || header.prevHash !== tail.hash) {
    const reason = `${ref.blob} does not follow the segment before number ${tail.nextSeq}`;
    throw new DrError('DR_JOURNAL_GAP', { item, reason });
  }
  if (header.keyId !== key.id) {
    throw new DrError('DR_KEY_MISSING', { item, reason: `${ref.blob} was sealed with another data key` });
  }
}

/** `seq` is the number after the last unit's. */
export function checkTrailerSeal(
  body: Buffer,
  seal: { readonly epoch: number; readonly seq: number; readonly key: Uint8Array },
  refuse: Refuse,
): void {
  const trailer = body.subarray(body.length - TRAILER_BYTES);
  const opened = openSealed(Buffer.alloc(0), {
    key: seal.key,
    nonce: nonceOf(seal.epoch, seal.seq),
    tag: trailer.subarray(TRAILER_BYTES - TAG_BYTES),
    associated: [body.subarray(0, HEADER_BYTES), trailer.subarray(0, TRAILER_BYTES - TAG_BYTES)],
  });
  if (opened === null) throw refuse('the trailer is not authentic');
}
