/** Checks a segment and hands out its records. */
import { createDecipheriv, createHash } from 'node:crypto';
import { zstdDecompressSync } from 'node:zlib';
import { crc32c } from '@node-rs/crc32';
import { DrError } from '../../domain/errors.ts';
import type { DiskId, ProtectedItemId } from '../../domain/ids.ts';
import type { ChainTail, SegmentRef } from '../../domain/replication.ts';
import { SECTOR_BYTES } from '../../domain/units.ts';
import type { ItemKey } from '../keys.ts';
import type { Frame, SegmentHeader } from './layout.ts';
import {
  CODEC_STORED,
  CODEC_ZSTD,
  FRAME_BYTES,
  HEADER_BYTES,
  KIND_WRITE,
  KIND_ZERO,
  RECORD_BYTES,
  SHA256_BYTES,
  TAG_BYTES,
  TRAILER_BYTES,
  TRAILER_COUNTS_BYTES,
  decodeFrame,
  decodeHeader,
  decodeTrailerCounts,
  isFrame,
  nonceOf,
  readU64,
} from './layout.ts';

export type SegmentRecord =
  | { readonly kind: 'write'; readonly offset: number; readonly length: number; readonly data: Buffer }
  | { readonly kind: 'zero'; readonly offset: number; readonly length: number };

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

interface LocatedUnit {
  readonly frame: Frame;
  /** Position of the frame in the segment. */
  readonly at: number;
}

/**
 * Records of a segment in order, one unit in memory at a time; `data` is valid until the next unit is asked for.
 * The whole is verified before the first record is handed out: structure, counts, SHA-256, place in the chain.
 * Every unit is then authenticated and every record's checksum compared.
 * @throws DR_SEGMENT_CORRUPT naming the blob, DR_JOURNAL_GAP when it follows another segment than the chain's last,
 * DR_KEY_MISSING when another data key sealed it
 */
export function* readSegment(bytes: Uint8Array, expected: ExpectedSegment): Generator<SegmentRecord> {
  const body = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const refuse = (reason: string, cause?: unknown) =>
    new DrError('DR_SEGMENT_CORRUPT', { segment: expected.ref.blob, reason }, { cause });
  const { header, units } = locateUnits(body, refuse);
  checkWhole(body, expected, refuse);
  checkPlace(header, units, expected, refuse);
  const key = expected.key.segmentKey(header.diskId, header.salt);
  checkTrailerSeal(body, header, key, refuse, expected.ref.lastSeq + 1);
  for (const unit of units) {
    const plain = openUnit(body, header, unit, key, refuse);
    yield* decodeRecords(plain, unit.frame, expected.capacityBytes, refuse);
  }
}

type Refuse = (reason: string, cause?: unknown) => DrError;

function locateUnits(body: Buffer, refuse: Refuse): { header: SegmentHeader; units: LocatedUnit[] } {
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
  checkTrailerCounts(body, at, units, header, refuse);
  return { header, units };
}

function checkTrailerCounts(
  body: Buffer,
  at: number,
  units: readonly LocatedUnit[],
  header: SegmentHeader,
  refuse: Refuse,
): void {
  const last = header.firstSeq + units.length - 1;
  if (body.length - at < TRAILER_BYTES) throw refuse(`torn: it ends behind unit ${last} without a trailer`);
  if (body.length - at > TRAILER_BYTES) throw refuse(`what follows unit ${last} is neither unit nor trailer`);
  const counts = decodeTrailerCounts(body.subarray(at));
  const recordCount = units.reduce((sum, unit) => sum + unit.frame.recordCount, 0);
  if (counts?.unitCount !== units.length || counts.recordCount !== recordCount || counts.lastSeq !== last) {
    throw refuse('the trailer does not match the units');
  }
}

function checkWhole(body: Buffer, expected: ExpectedSegment, refuse: Refuse): void {
  const hashAt = body.length - TRAILER_BYTES + TRAILER_COUNTS_BYTES;
  const hash = createHash('sha256').update(body.subarray(0, hashAt));
  const inner = hash.copy().digest();
  if (!inner.equals(body.subarray(hashAt, hashAt + SHA256_BYTES))) {
    throw refuse('its SHA-256 differs from the trailer');
  }
  if (hash.update(body.subarray(hashAt)).digest('hex') !== expected.ref.sha256) {
    throw refuse('its SHA-256 differs from the barrier');
  }
}

function checkPlace(
  header: SegmentHeader,
  units: readonly LocatedUnit[],
  expected: ExpectedSegment,
  refuse: Refuse,
): void {
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

function checkTrailerSeal(
  body: Buffer,
  header: SegmentHeader,
  key: Buffer,
  refuse: Refuse,
  seq: number,
): void {
  const trailer = body.subarray(body.length - TRAILER_BYTES);
  const covered = trailer.subarray(0, TRAILER_BYTES - TAG_BYTES);
  const tag = trailer.subarray(TRAILER_BYTES - TAG_BYTES);
  const nonce = nonceOf(header.epoch, seq);
  open({ key, nonce, tag, associated: [body.subarray(0, HEADER_BYTES), covered] }, Buffer.alloc(0), () =>
    refuse('the trailer is not authentic'),
  );
}

function openUnit(
  body: Buffer,
  header: SegmentHeader,
  unit: LocatedUnit,
  key: Buffer,
  refuse: Refuse,
): Buffer {
  const { frame, at } = unit;
  const sealedAt = at + FRAME_BYTES;
  const tagAt = sealedAt + frame.sealedBytes;
  const plain = open(
    {
      key,
      nonce: nonceOf(header.epoch, frame.seq),
      tag: body.subarray(tagAt, tagAt + TAG_BYTES),
      associated: [body.subarray(0, HEADER_BYTES), body.subarray(at, sealedAt)],
    },
    body.subarray(sealedAt, tagAt),
    () => refuse(`unit ${frame.seq} is not authentic`),
  );
  return decompress(plain, frame, refuse);
}

function open(
  seal: {
    readonly key: Buffer;
    readonly nonce: Buffer;
    readonly tag: Buffer;
    readonly associated: readonly Buffer[];
  },
  sealed: Buffer,
  onForged: () => DrError,
): Buffer {
  const decipher = createDecipheriv('aes-256-gcm', seal.key, seal.nonce, { authTagLength: TAG_BYTES });
  decipher.setAAD(Buffer.concat(seal.associated));
  decipher.setAuthTag(seal.tag);
  const plain = decipher.update(sealed);
  try {
    decipher.final();
  } catch {
    throw onForged();
  }
  return plain;
}

function decompress(packed: Buffer, frame: Frame, refuse: Refuse): Buffer {
  if (frame.codec !== CODEC_STORED && frame.codec !== CODEC_ZSTD) {
    throw refuse(`unit ${frame.seq} uses codec ${frame.codec}, which this version does not know`);
  }
  const plain = frame.codec === CODEC_STORED ? packed : inflate(packed, frame, refuse);
  if (plain.length !== frame.plainBytes) throw refuse(`unit ${frame.seq} has another length than its frame`);
  return plain;
}

function inflate(packed: Buffer, frame: Frame, refuse: Refuse): Buffer {
  try {
    return zstdDecompressSync(packed, { maxOutputLength: Math.max(frame.plainBytes, 1) });
  } catch (cause) {
    throw refuse(`unit ${frame.seq} cannot be decompressed`, cause);
  }
}

function* decodeRecords(
  plain: Buffer,
  frame: Frame,
  capacityBytes: number,
  refuse: Refuse,
): Generator<SegmentRecord> {
  const dataAt = frame.recordCount * RECORD_BYTES;
  if (plain.length < dataAt) throw refuse(`unit ${frame.seq} is shorter than its record table`);
  const data = plain.subarray(dataAt);
  for (let at = 0; at < dataAt; at += RECORD_BYTES) {
    const offset = readU64(plain, at);
    const length = plain.readUInt32LE(at + 8);
    const aligned = offset % SECTOR_BYTES === 0 && length % SECTOR_BYTES === 0 && length > 0;
    if (!aligned || offset + length > capacityBytes) {
      throw refuse(`a record of unit ${frame.seq} lies outside the disk`);
    }
    const kind = plain.readUInt16LE(at + 12);
    if (kind === KIND_ZERO) {
      yield { kind: 'zero', offset, length };
    } else if (kind === KIND_WRITE) {
      const dataOffset = plain.readUInt32LE(at + 16);
      const raw = data.subarray(dataOffset, dataOffset + length);
      if (raw.length !== length || crc32c(raw) !== plain.readUInt32LE(at + 20)) {
        throw refuse(`the checksum of a record of unit ${frame.seq} differs`);
      }
      yield { kind: 'write', offset, length, data: raw };
    } else {
      throw refuse(`unit ${frame.seq} holds a record of unknown kind ${kind}`);
    }
  }
}
