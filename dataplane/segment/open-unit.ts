/** Opens one unit of a segment: authenticates, decompresses, compares every record's checksum. */
import { zstdDecompressSync } from 'node:zlib';
import { KiB } from '../../domain/units.ts';
import { letGo } from '../threads/let-go.ts';
import { openSealed } from './cipher.ts';
import type { Frame } from './layout.ts';
import { CODEC_STORED, CODEC_ZSTD, FRAME_BYTES, HEADER_BYTES, TAG_BYTES, nonceOf } from './layout.ts';
import { findFault } from './records.ts';
import type { LocatedUnit } from './structure.ts';

/** zstd ends in the same piece of memory it began in. */
const SPARE_BYTES = KiB;

export interface UnitOpening {
  readonly unit: LocatedUnit;
  readonly epoch: number;
  /** Of the segment. */
  readonly key: Uint8Array;
  readonly capacityBytes: number;
}

export type OpenedUnit = { readonly payload: Buffer } | { readonly fault: string };

/** The payload, or why it must not be used; `body` is the whole segment. */
export function openUnit(body: Buffer, { unit, epoch, key, capacityBytes }: UnitOpening): OpenedUnit {
  const { frame, at } = unit;
  const { seq, recordCount } = frame;
  const sealedAt = at + FRAME_BYTES;
  const tagAt = sealedAt + frame.sealedBytes;
  const packed = openSealed(body.subarray(sealedAt, tagAt), {
    key,
    nonce: nonceOf(epoch, seq),
    tag: body.subarray(tagAt, tagAt + TAG_BYTES),
    associated: [body.subarray(0, HEADER_BYTES), body.subarray(at, sealedAt)],
  });
  if (packed === null) return { fault: `unit ${seq} is not authentic` };
  const unpacked = unpack(packed, frame);
  if ('fault' in unpacked) return unpacked;
  const fault = findFault(unpacked.payload, { recordCount, seq, capacityBytes });
  return fault === null ? unpacked : { fault };
}

function unpack(packed: Buffer, frame: Frame): OpenedUnit {
  const { codec, seq } = frame;
  if (codec !== CODEC_STORED && codec !== CODEC_ZSTD) {
    return { fault: `unit ${seq} uses codec ${codec}, which this version does not know` };
  }
  const payload = codec === CODEC_STORED ? packed : inflate(packed, frame.plainBytes);
  if (payload === null) return { fault: `unit ${seq} cannot be decompressed` };
  if (payload.length !== frame.plainBytes) return { fault: `unit ${seq} has another length than its frame` };
  return { payload };
}

/** In one piece: what one call of zstd writes is not copied together again. Null: not what the frame says. */
function inflate(packed: Buffer, plainBytes: number): Buffer | null {
  try {
    return zstdDecompressSync(packed, {
      maxOutputLength: Math.max(plainBytes, 1),
      chunkSize: plainBytes + SPARE_BYTES,
    });
  } catch {
    return null;
  } finally {
    letGo(packed);
  }
}
