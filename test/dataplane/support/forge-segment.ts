/**
 * Segments with any content, sealed with the right key: what somebody who has the key and a broken writer could store.
 * The plain form is `header | (frame | payload)… | trailer counts`; sealing puts in every checksum, tag and hash.
 */
import { createCipheriv, createHash } from 'node:crypto';
import { crc32c } from '@node-rs/crc32';
import type { ItemKey } from '../../../dataplane/keys.ts';
import {
  CODEC_STORED,
  FRAME_BYTES,
  HEADER_BYTES,
  KIND_ZERO,
  RECORD_BYTES,
  TAG_BYTES,
  TRAILER_BYTES,
  TRAILER_COUNTS_BYTES,
  decodeHeader,
  encodeFrame,
  encodeHeader,
  encodeTrailerCounts,
} from '../../../dataplane/segment/layout.ts';
import type { Frame, SegmentHeader } from '../../../dataplane/segment/layout.ts';
import type { ExpectedSegment } from '../../../dataplane/segment/reader.ts';
import { SECTOR_BYTES } from '../../../domain/units.ts';

export interface PlainUnit {
  readonly frame: Frame;
  /** As it is sealed: compressed when the frame says so. */
  readonly payload: Buffer;
}

export interface PlainRecord {
  readonly offset: bigint;
  readonly length: number;
  readonly kind: number;
  readonly dataOffset: number;
  readonly crc: number;
}

export function encodeRecord(record: PlainRecord): Buffer {
  const bytes = Buffer.alloc(RECORD_BYTES);
  bytes.writeBigUInt64LE(record.offset, 0);
  bytes.writeUInt32LE(record.length, 8);
  bytes.writeUInt16LE(record.kind, 12);
  bytes.writeUInt32LE(record.dataOffset, 16);
  bytes.writeUInt32LE(record.crc, 20);
  return bytes;
}

export function plainSegment(header: SegmentHeader, units: readonly PlainUnit[]): Buffer {
  const counts = encodeTrailerCounts({
    unitCount: units.length,
    recordCount: units.reduce((sum, { frame }) => (sum + frame.recordCount) >>> 0, 0),
    rawBytes: 0,
    lastSeq: header.firstSeq + units.length - 1,
  });
  const parts = units.flatMap(({ frame, payload }) => [encodeFrame(frame), payload]);
  return Buffer.concat([encodeHeader(header), ...parts, counts]);
}

/** A whole and authentic segment of one record: a sector of zeros. */
export function forgedSegment(header: SegmentHeader, key: ItemKey, offset = 0): Buffer {
  const record = { offset: BigInt(offset), length: SECTOR_BYTES, kind: KIND_ZERO, dataOffset: 0, crc: 0 };
  const payload = encodeRecord(record);
  const { length } = payload;
  const frame = {
    codec: CODEC_STORED,
    seq: header.firstSeq,
    recordCount: 1,
    plainBytes: length,
    sealedBytes: length,
  };
  return sealSegment(plainSegment({ ...header, keyId: key.id }, [{ frame, payload }]), key);
}

/** Never fails: what is too short to be a segment is left as it is. */
export function sealSegment(plain: Buffer, key: ItemKey): Buffer {
  if (plain.length < HEADER_BYTES + TRAILER_COUNTS_BYTES) return plain;
  const header = Buffer.from(plain.subarray(0, HEADER_BYTES));
  header.writeUInt32LE(crc32c(header.subarray(0, 108)), 108);
  const known = decodeHeader(header);
  if (known === null) return plain;
  const seal = sealerOf(header, key.segmentKey(known.diskId, known.salt));
  const parts: Buffer[] = [header];
  const countsAt = plain.length - TRAILER_COUNTS_BYTES;
  let at = HEADER_BYTES;
  while (countsAt - at >= FRAME_BYTES) {
    const frame = Buffer.from(plain.subarray(at, at + FRAME_BYTES));
    frame.writeUInt32LE(crc32c(frame.subarray(0, 28)), 28);
    const end = Math.min(countsAt, at + FRAME_BYTES + frame.readUInt32LE(24));
    parts.push(frame, ...seal(frame.readUInt32LE(8), frame, plain.subarray(at + FRAME_BYTES, end)));
    at = end;
  }
  const counts = plain.subarray(countsAt);
  const before = Buffer.concat([...parts, counts]);
  const covered = Buffer.concat([counts, createHash('sha256').update(before).digest()]);
  const seq = (counts.readUInt32LE(24) + 1) >>> 0;
  return Buffer.concat([...parts, covered, ...seal(seq, covered, Buffer.alloc(0))]);
}

/** Puts right the hash that anybody can compute. */
export function rehash(segment: Buffer): Buffer {
  const hashAt = segment.length - TRAILER_BYTES + TRAILER_COUNTS_BYTES;
  if (hashAt < 0) return segment;
  const forged = Buffer.from(segment);
  createHash('sha256').update(forged.subarray(0, hashAt)).digest().copy(forged, hashAt);
  return forged;
}

/** `valid`, but for what the bytes themselves say: as a barrier that names them would. */
export function expectedOf(segment: Buffer, valid: ExpectedSegment): ExpectedSegment {
  const header = segment.length < HEADER_BYTES ? null : decodeHeader(segment.subarray(0, HEADER_BYTES));
  const sha256 = createHash('sha256').update(segment).digest('hex');
  const ref = { ...valid.ref, sha256 };
  if (header === null || !Number.isSafeInteger(header.firstSeq)) return { ...valid, ref };
  const lastSeq = header.firstSeq + valid.ref.lastSeq - valid.ref.firstSeq;
  return {
    ...valid,
    ref: { ...ref, firstSeq: header.firstSeq, lastSeq },
    tail: { nextSeq: header.firstSeq, hash: header.prevHash },
  };
}

function sealerOf(header: Buffer, key: Buffer) {
  return (seq: number, associated: Buffer, plain: Buffer): [Buffer, Buffer] => {
    const nonce = Buffer.alloc(12);
    header.copy(nonce, 0, 32, 40);
    nonce.subarray(0, 8).reverse();
    nonce.writeUInt32BE(seq, 8);
    const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES });
    cipher.setAAD(Buffer.concat([header, associated]));
    const sealed = cipher.update(plain);
    cipher.final();
    return [sealed, cipher.getAuthTag()];
  };
}
