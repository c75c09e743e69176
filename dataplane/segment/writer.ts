/** Turns payloads into the bytes of one segment. */
import { createCipheriv, createHash, randomBytes } from 'node:crypto';
import { constants, zstdCompressSync } from 'node:zlib';
import type { DiskId } from '../../domain/ids.ts';
import type { ChainTail, SegmentRef } from '../../domain/replication.ts';
import type { ItemKey } from '../keys.ts';
import {
  CODEC_STORED,
  CODEC_ZSTD,
  SALT_BYTES,
  SEGMENT_CLOSE_BYTES,
  SEQ_MAX,
  encodeFrame,
  encodeHeader,
  encodeTrailerCounts,
  nonceOf,
} from './layout.ts';
import type { UnitBuffer } from './unit.ts';

/** Compression that saves less than this share is not worth the decompression. */
const COMPRESSED_SHARE_MAX = 0.95;
const ZSTD_OPTIONS = { params: { [constants.ZSTD_c_compressionLevel]: 1 } };

interface FinishedSegment {
  readonly trailer: Buffer;
  readonly ref: Omit<SegmentRef, 'blob'>;
  /** Where the chain ends with this segment. */
  readonly tail: ChainTail;
}

/**
 * One segment, in the order `header`, `seal`…, `finish`; the caller stores the returned pieces one behind the other.
 * Each unit has its own sequence number. The key is made for this segment alone from a random salt, so that a
 * nonce cannot repeat even if an epoch were used twice.
 */
export class SegmentWriter {
  readonly header: Buffer;
  readonly #key: Buffer;
  readonly #hash = createHash('sha256');
  readonly #epoch: number;
  readonly #firstSeq: number;
  #nextSeq: number;
  #unitCount = 0;
  #recordCount = 0;
  #rawBytes = 0;
  #plainBytes = 0;
  #wireBytes: number;

  constructor(disk: {
    readonly diskId: DiskId;
    readonly epoch: number;
    readonly tail: ChainTail;
    readonly key: ItemKey;
  }) {
    const salt = randomBytes(SALT_BYTES);
    this.#key = disk.key.segmentKey(disk.diskId, salt);
    this.#epoch = disk.epoch;
    this.#firstSeq = disk.tail.nextSeq;
    this.#nextSeq = disk.tail.nextSeq;
    this.header = encodeHeader({
      diskId: disk.diskId,
      epoch: disk.epoch,
      firstSeq: disk.tail.nextSeq,
      salt,
      prevHash: disk.tail.hash,
      keyId: disk.key.id,
    });
    this.#hash.update(this.header);
    this.#wireBytes = this.header.length;
  }

  get firstSeq(): number {
    return this.#firstSeq;
  }

  get isFull(): boolean {
    return this.#plainBytes >= SEGMENT_CLOSE_BYTES;
  }

  /** Seals the unit's payload; the unit may be cleared afterwards. */
  seal(unit: UnitBuffer): Buffer {
    const seq = this.#nextSeq;
    if (seq > SEQ_MAX) throw new RangeError(`sequence number ${seq} does not fit the nonce`);
    const plain = unit.payload();
    const packed = compress(plain);
    const frame = encodeFrame({
      codec: packed === null ? CODEC_STORED : CODEC_ZSTD,
      seq,
      recordCount: unit.recordCount,
      plainBytes: plain.length,
      sealedBytes: (packed ?? plain).length,
    });
    const bytes = Buffer.concat([frame, ...this.#encrypt(seq, frame, packed ?? plain)]);
    this.#hash.update(bytes);
    this.#nextSeq = seq + 1;
    this.#unitCount += 1;
    this.#recordCount += unit.recordCount;
    this.#rawBytes += unit.dataBytes;
    this.#plainBytes += plain.length;
    this.#wireBytes += bytes.length;
    return bytes;
  }

  finish(): FinishedSegment {
    const lastSeq = this.#nextSeq - 1;
    const counts = encodeTrailerCounts({
      unitCount: this.#unitCount,
      recordCount: this.#recordCount,
      rawBytes: this.#rawBytes,
      lastSeq,
    });
    this.#hash.update(counts);
    const covered = Buffer.concat([counts, this.#hash.copy().digest()]);
    const trailer = Buffer.concat([covered, ...this.#encrypt(this.#nextSeq, covered, Buffer.alloc(0))]);
    const sha256 = this.#hash.update(trailer.subarray(counts.length)).digest('hex');
    return {
      trailer,
      ref: {
        firstSeq: this.#firstSeq,
        lastSeq,
        rawBytes: this.#rawBytes,
        wireBytes: this.#wireBytes + trailer.length,
        sha256,
      },
      tail: { nextSeq: this.#nextSeq, hash: sha256 },
    };
  }

  #encrypt(seq: number, associated: Buffer, plain: Buffer): [Buffer, Buffer] {
    const cipher = createCipheriv('aes-256-gcm', this.#key, nonceOf(this.#epoch, seq));
    cipher.setAAD(Buffer.concat([this.header, associated]));
    const sealed = cipher.update(plain);
    cipher.final();
    return [sealed, cipher.getAuthTag()];
  }
}

function compress(plain: Buffer): Buffer | null {
  const packed = zstdCompressSync(plain, ZSTD_OPTIONS);
  return packed.length <= plain.length * COMPRESSED_SHARE_MAX ? packed : null;
}
