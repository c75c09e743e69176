/**
 * Byte layout of a segment, as docs/wire-format.md describes it. All integers are little-endian.
 * `header | unit … | trailer`; a unit is `frame | sealed payload | tag`; a payload is `record table | data`.
 */
import { crc32c } from '@node-rs/crc32';
import type { DiskId } from '../../domain/ids.ts';
import { asId } from '../../domain/ids.ts';
import { GiB, KiB, MiB } from '../../domain/units.ts';

const SEGMENT_VERSION = 1;
export const HEADER_BYTES = 112;
export const FRAME_BYTES = 32;
export const RECORD_BYTES = 24;
export const TRAILER_BYTES = 80;
/** Part of the trailer that its SHA-256 covers together with everything before the trailer. */
export const TRAILER_COUNTS_BYTES = 32;
export const SHA256_BYTES = 32;
export const SALT_BYTES = 16;
export const TAG_BYTES = 16;
const NONCE_BYTES = 12;

/** A unit is compressed and sealed as a whole: neighbours together, never extent by extent. */
export const UNIT_DATA_BYTES_MAX = MiB;
export const UNIT_RECORDS_MAX = 4096;
export const UNIT_PLAIN_BYTES_MAX = UNIT_RECORDS_MAX * RECORD_BYTES + UNIT_DATA_BYTES_MAX;
const UNIT_WIRE_BYTES_MAX = FRAME_BYTES + UNIT_PLAIN_BYTES_MAX + TAG_BYTES;
/** A segment takes no further unit once its payloads add up to this. */
export const SEGMENT_CLOSE_BYTES = 8 * MiB;
export const SEGMENT_WIRE_BYTES_MAX = SEGMENT_CLOSE_BYTES + UNIT_WIRE_BYTES_MAX + 64 * KiB;
export const ZERO_RECORD_BYTES_MAX = GiB;
/** The nonce gives the sequence number four bytes. */
export const SEQ_MAX = 2 ** 32 - 2;

export const CODEC_STORED = 0;
export const CODEC_ZSTD = 1;
export const KIND_WRITE = 1;
export const KIND_ZERO = 2;

const HEADER_MAGIC = Buffer.from('SWBKSEG1', 'latin1');
const FRAME_MAGIC = 0x54494e55; // "UNIT"
const TRAILER_MAGIC = 0x4c494154; // "TAIL"

export interface SegmentHeader {
  readonly diskId: DiskId;
  readonly epoch: number;
  readonly firstSeq: number;
  readonly salt: Uint8Array;
  /** SHA-256 of the previous segment, hexadecimal. */
  readonly prevHash: string;
  /** Eight bytes, hexadecimal: tells a wrong key from a damaged segment. */
  readonly keyId: string;
}

export interface Frame {
  readonly codec: number;
  readonly seq: number;
  readonly recordCount: number;
  readonly plainBytes: number;
  readonly sealedBytes: number;
}

interface TrailerCounts {
  readonly unitCount: number;
  readonly recordCount: number;
  readonly rawBytes: number;
  readonly lastSeq: number;
}

export function encodeHeader(header: SegmentHeader): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES);
  HEADER_MAGIC.copy(bytes, 0);
  bytes.writeUInt16LE(SEGMENT_VERSION, 8);
  bytes.writeUInt16LE(HEADER_BYTES, 10);
  bytes.write(header.diskId, 16, 'hex');
  writeU64(bytes, header.epoch, 32);
  writeU64(bytes, header.firstSeq, 40);
  bytes.set(header.salt, 48);
  bytes.write(header.prevHash, 64, 'hex');
  bytes.write(header.keyId, 96, 'hex');
  bytes.writeUInt32LE(crc32c(bytes.subarray(0, 108)), 108);
  return bytes;
}

/** Null: not a header of this version, altered, or with numbers that no nonce can hold. */
export function decodeHeader(bytes: Buffer): SegmentHeader | null {
  if (!bytes.subarray(0, 8).equals(HEADER_MAGIC)) return null;
  if (crc32c(bytes.subarray(0, 108)) !== bytes.readUInt32LE(108)) return null;
  if (bytes.readUInt16LE(8) !== SEGMENT_VERSION || bytes.readUInt16LE(10) !== HEADER_BYTES) return null;
  const epoch = readU64(bytes, 32);
  const firstSeq = readU64(bytes, 40);
  if (!Number.isSafeInteger(epoch) || firstSeq > SEQ_MAX) return null;
  return {
    diskId: asId<DiskId>(bytes.toString('hex', 16, 32)),
    epoch,
    firstSeq,
    salt: bytes.subarray(48, 64),
    prevHash: bytes.toString('hex', 64, 96),
    keyId: bytes.toString('hex', 96, 104),
  };
}

export function encodeFrame(frame: Frame): Buffer {
  const bytes = Buffer.alloc(FRAME_BYTES);
  bytes.writeUInt32LE(FRAME_MAGIC, 0);
  bytes.writeUInt8(frame.codec, 4);
  writeU64(bytes, frame.seq, 8);
  bytes.writeUInt32LE(frame.recordCount, 16);
  bytes.writeUInt32LE(frame.plainBytes, 20);
  bytes.writeUInt32LE(frame.sealedBytes, 24);
  bytes.writeUInt32LE(crc32c(bytes.subarray(0, 28)), 28);
  return bytes;
}

/** `isFrame` looks at the magic only; a frame whose checksum or bounds are wrong decodes to null. */
export function isFrame(bytes: Buffer, at: number): boolean {
  return bytes.readUInt32LE(at) === FRAME_MAGIC;
}

export function decodeFrame(bytes: Buffer): Frame | null {
  if (crc32c(bytes.subarray(0, 28)) !== bytes.readUInt32LE(28)) return null;
  const frame = {
    codec: bytes.readUInt8(4),
    seq: readU64(bytes, 8),
    recordCount: bytes.readUInt32LE(16),
    plainBytes: bytes.readUInt32LE(20),
    sealedBytes: bytes.readUInt32LE(24),
  };
  const inBounds =
    frame.seq <= SEQ_MAX &&
    frame.recordCount >= 1 &&
    frame.recordCount <= UNIT_RECORDS_MAX &&
    frame.plainBytes <= UNIT_PLAIN_BYTES_MAX &&
    frame.sealedBytes <= UNIT_PLAIN_BYTES_MAX;
  return inBounds ? frame : null;
}

export function encodeTrailerCounts(counts: TrailerCounts): Buffer {
  const bytes = Buffer.alloc(TRAILER_COUNTS_BYTES);
  bytes.writeUInt32LE(TRAILER_MAGIC, 0);
  bytes.writeUInt32LE(counts.unitCount, 4);
  bytes.writeUInt32LE(counts.recordCount, 8);
  writeU64(bytes, counts.rawBytes, 16);
  writeU64(bytes, counts.lastSeq, 24);
  return bytes;
}

/** Null: not a trailer. */
export function decodeTrailerCounts(bytes: Buffer): TrailerCounts | null {
  if (bytes.readUInt32LE(0) !== TRAILER_MAGIC) return null;
  return {
    unitCount: bytes.readUInt32LE(4),
    recordCount: bytes.readUInt32LE(8),
    rawBytes: readU64(bytes, 16),
    lastSeq: readU64(bytes, 24),
  };
}

/** Unique under a segment's own key: no sequence number comes twice in a segment. */
export function nonceOf(epoch: number, seq: number): Buffer {
  const nonce = Buffer.alloc(NONCE_BYTES);
  nonce.writeBigUInt64BE(BigInt(epoch), 0);
  nonce.writeUInt32BE(seq, 8);
  return nonce;
}

export function writeU64(bytes: Buffer, value: number, at: number): void {
  bytes.writeBigUInt64LE(BigInt(value), at);
}

/** Values beyond 2^53 lose precision; every caller checks against a smaller bound. */
export function readU64(bytes: Buffer, at: number): number {
  return Number(bytes.readBigUInt64LE(at));
}
