/** Makes a unit's payload complete and small, where it lies. */
import { constants, zstdCompressSync } from 'node:zlib';
import { KiB } from '../../domain/units.ts';
import { letGo } from '../threads/let-go.ts';
import { CODEC_STORED, CODEC_ZSTD, RECORD_BYTES } from './layout.ts';
import { fillChecksums } from './records.ts';

/** Compression that saves less than this share is not worth the decompression. */
const COMPRESSED_SHARE_MAX = 0.95;
const SAMPLE_BYTES = 64 * KiB;
const SAMPLE_LEVEL = -5;
/** zstd writes at once what fits; its bound for a unit is 4 KiB more than the unit. */
const SPARE_BYTES = 8 * KiB;

/** A payload in a slab, its checksums not filled in. */
export interface Packing {
  readonly slab: SharedArrayBuffer;
  readonly at: number;
  readonly plainBytes: number;
  readonly recordCount: number;
  /** Of zstd. */
  readonly level: number;
  /** What came before did not compress: look at a sample first. */
  readonly isDoubtful: boolean;
}

export interface PackedUnit {
  readonly codec: number;
  /** From `at` on, over the payload. */
  readonly packedBytes: number;
}

export function packUnit({ slab, at, plainBytes, recordCount, level, isDoubtful }: Packing): PackedUnit {
  const payload = Buffer.from(slab, at, plainBytes);
  fillChecksums(payload, recordCount);
  const stored = { codec: CODEC_STORED, packedBytes: plainBytes };
  if (isDoubtful && !isCompressible(sampleOf(payload, recordCount * RECORD_BYTES))) return stored;
  const packed = compress(payload, level);
  const packedBytes = packed.length;
  const isWorthIt = packedBytes <= plainBytes * COMPRESSED_SHARE_MAX;
  if (isWorthIt) payload.set(packed);
  letGo(packed);
  return isWorthIt ? { codec: CODEC_ZSTD, packedBytes } : stored;
}

/** From the middle of the data. */
function sampleOf(payload: Buffer, dataAt: number): Buffer {
  const start = dataAt + Math.max(0, Math.floor((payload.length - dataAt - SAMPLE_BYTES) / 2));
  return payload.subarray(start, start + SAMPLE_BYTES);
}

function isCompressible(sample: Buffer): boolean {
  return compress(sample, SAMPLE_LEVEL).length <= sample.length * COMPRESSED_SHARE_MAX;
}

function compress(plain: Buffer, level: number): Buffer {
  const params = { [constants.ZSTD_c_compressionLevel]: level };
  return zstdCompressSync(plain, { params, chunkSize: plain.length + SPARE_BYTES });
}
