/** What a segment file holds, whole or not: for people who stand before a file and know nothing else of it. */
import { createHash } from 'node:crypto';
import type { ItemKey } from '../keys.ts';
import { openSealed } from './cipher.ts';
import {
  CODEC_STORED,
  CODEC_ZSTD,
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
import { openUnit } from './open-unit.ts';
import type { LocatedUnit } from './structure.ts';

/** `torn`: the file ends too early, what is before its end is as it was written. */
export type SegmentState = 'whole' | 'torn' | 'damaged';

export interface UnitReport {
  readonly seq: number;
  readonly records: number;
  readonly plainBytes: number;
  readonly sealedBytes: number;
  readonly codec: string;
}

export interface TrailerReport {
  readonly units: number;
  readonly records: number;
  readonly rawBytes: number;
  readonly lastSeq: number;
}

export interface HeaderReport {
  readonly diskId: string;
  readonly epoch: number;
  readonly firstSeq: number;
  /** SHA-256 of the segment before it. */
  readonly prevHash: string;
  /** Of the data key that sealed it. */
  readonly keyId: string;
}

export interface SegmentReport {
  readonly bytes: number;
  readonly state: SegmentState;
  /** What is wrong, and up to where it is right; absent in a whole segment. */
  readonly reason?: string;
  readonly header?: HeaderReport;
  /** Units that are there from their first byte to their last. */
  readonly units: readonly UnitReport[];
  readonly trailer?: TrailerReport;
  /** SHA-256 of the file: the segment behind it names it, and so does its barrier. */
  readonly sha256: string;
}

/** Checked with the data key; `reason` is the first thing that is wrong. */
export type Authenticity =
  | { readonly isAuthentic: true; readonly records: number }
  | { readonly isAuthentic: false; readonly reason: string };

interface Located {
  readonly units: readonly LocatedUnit[];
  /** Behind the last whole unit. */
  readonly end: number;
  readonly state: SegmentState;
  readonly reason?: string;
}

const codecs = new Map([
  [CODEC_STORED, 'stored'],
  [CODEC_ZSTD, 'zstd'],
]);

/** Structure, checksums and SHA-256, without any key. Never throws. */
export function inspectSegment(body: Buffer): SegmentReport {
  const sha256 = createHash('sha256').update(body).digest('hex');
  const header = body.length < HEADER_BYTES ? null : decodeHeader(body.subarray(0, HEADER_BYTES));
  if (header === null) {
    const isShort = body.length < HEADER_BYTES;
    const reason = isShort
      ? 'torn: it ends inside the header'
      : 'the header is altered, or this is no segment';
    return { bytes: body.length, state: isShort ? 'torn' : 'damaged', reason, units: [], sha256 };
  }
  const { units, end, ...found } = locate(body, header.firstSeq);
  const counts = found.state === 'whole' ? decodeTrailerCounts(body.subarray(end)) : null;
  const { diskId, epoch, firstSeq, prevHash, keyId } = header;
  return {
    bytes: body.length,
    ...found,
    header: { diskId, epoch, firstSeq, prevHash, keyId },
    units: units.map(({ frame }) => ({
      seq: frame.seq,
      records: frame.recordCount,
      plainBytes: frame.plainBytes,
      sealedBytes: frame.sealedBytes,
      codec: codecs.get(frame.codec) ?? `unknown (${frame.codec})`,
    })),
    ...(counts === null ? {} : { trailer: trailerReport(counts) }),
    sha256,
  };
}

/** Every unit that is whole, every record's CRC-32C, and the trailer where there is one. */
export function authenticate(body: Buffer, key: ItemKey): Authenticity {
  const header = body.length < HEADER_BYTES ? null : decodeHeader(body.subarray(0, HEADER_BYTES));
  if (header === null) return { isAuthentic: false, reason: 'it has no header that can be read' };
  if (header.keyId !== key.id) {
    const reason = `data key ${header.keyId} sealed it, this is ${key.id}`;
    return { isAuthentic: false, reason };
  }
  const { epoch } = header;
  const segmentKey = key.segmentKey(header.diskId, header.salt);
  const { units, end, state } = locate(body, header.firstSeq);
  let records = 0;
  for (const unit of units) {
    // The size of the disk is not known here.
    const opening = { unit, epoch, key: segmentKey, capacityBytes: Number.MAX_SAFE_INTEGER };
    const opened = openUnit(body, opening);
    if ('fault' in opened) return { isAuthentic: false, reason: opened.fault };
    records += unit.frame.recordCount;
  }
  if (state !== 'whole') return { isAuthentic: true, records };
  const trailer = body.subarray(end);
  const opened = openSealed(Buffer.alloc(0), {
    key: segmentKey,
    nonce: nonceOf(epoch, header.firstSeq + units.length),
    tag: trailer.subarray(TRAILER_BYTES - TAG_BYTES),
    associated: [body.subarray(0, HEADER_BYTES), trailer.subarray(0, TRAILER_BYTES - TAG_BYTES)],
  });
  if (opened === null) return { isAuthentic: false, reason: 'the trailer is not authentic' };
  return { isAuthentic: true, records };
}

function locate(body: Buffer, firstSeq: number): Located {
  const units: LocatedUnit[] = [];
  let at = HEADER_BYTES;
  const ending = (state: SegmentState, reason: string): Located => ({
    units,
    end: at,
    state,
    reason: `${reason}; ${wholeUnits(units)}`,
  });
  while (body.length - at >= FRAME_BYTES && isFrame(body, at)) {
    const frame = decodeFrame(body.subarray(at, at + FRAME_BYTES));
    const seq = firstSeq + units.length;
    if (frame === null || frame.seq !== seq) return ending('damaged', `the frame of unit ${seq} is altered`);
    const end = at + FRAME_BYTES + frame.sealedBytes + TAG_BYTES;
    if (end > body.length) return ending('torn', `torn: it ends inside unit ${seq}`);
    units.push({ frame, at });
    at = end;
  }
  const problem = endingProblem(body, at, units);
  if (problem !== null) return ending(...problem);
  return { units, end: at, state: 'whole' };
}

function endingProblem(
  body: Buffer,
  at: number,
  units: readonly LocatedUnit[],
): [state: SegmentState, reason: string] | null {
  const rest = body.length - at;
  const counts = rest >= TRAILER_COUNTS_BYTES ? decodeTrailerCounts(body.subarray(at)) : null;
  if (counts === null) {
    if (rest < FRAME_BYTES) return ['torn', 'torn: it ends before the next unit or the trailer'];
    return ['damaged', 'what follows is neither unit nor trailer'];
  }
  if (rest < TRAILER_BYTES) return ['torn', 'torn: it ends inside the trailer'];
  if (rest > TRAILER_BYTES) return ['damaged', `${rest - TRAILER_BYTES} bytes follow the trailer`];
  const records = units.reduce((sum, { frame }) => sum + frame.recordCount, 0);
  const lastSeq = units.at(-1)?.frame.seq;
  if (counts.unitCount !== units.length || counts.recordCount !== records || counts.lastSeq !== lastSeq) {
    return ['damaged', 'the trailer does not match the units'];
  }
  const hashAt = at + TRAILER_COUNTS_BYTES;
  const covered = createHash('sha256').update(body.subarray(0, hashAt)).digest();
  const isHashed = covered.equals(body.subarray(hashAt, hashAt + SHA256_BYTES));
  return isHashed ? null : ['damaged', 'its SHA-256 differs from the trailer'];
}

function wholeUnits(units: readonly LocatedUnit[]): string {
  const [first, last] = [units[0]?.frame.seq, units.at(-1)?.frame.seq];
  if (first === undefined) return 'no unit is whole';
  return first === last ? `unit ${first} is whole` : `units ${first}-${last} are whole`;
}

function trailerReport(counts: NonNullable<ReturnType<typeof decodeTrailerCounts>>): TrailerReport {
  const { unitCount, recordCount, rawBytes, lastSeq } = counts;
  return { units: unitCount, records: recordCount, rawBytes, lastSeq };
}
