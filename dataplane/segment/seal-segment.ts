/** Turns packed units into the bytes of one segment, where they lie. */
import { createHash } from 'node:crypto';
import { letGo } from '../threads/let-go.ts';
import { seal } from './cipher.ts';
import type { SegmentHeader } from './layout.ts';
import {
  FRAME_BYTES,
  SEQ_MAX,
  TAG_BYTES,
  encodeFrame,
  encodeHeader,
  encodeTrailerCounts,
  nonceOf,
} from './layout.ts';

/** A packed payload in a slab, with room for its frame before it and for its tag behind it. */
export interface UnitToSeal {
  readonly slab: SharedArrayBuffer;
  readonly at: number;
  readonly codec: number;
  readonly recordCount: number;
  /** Of the write records. */
  readonly dataBytes: number;
  readonly plainBytes: number;
  readonly packedBytes: number;
}

export interface Sealing {
  readonly header: SegmentHeader;
  /** Made for this segment alone. */
  readonly key: Uint8Array;
  readonly units: readonly UnitToSeal[];
}

export interface SealedSegment {
  readonly header: Uint8Array;
  readonly trailer: Uint8Array;
  readonly lastSeq: number;
  readonly rawBytes: number;
  readonly wireBytes: number;
  /** Of the whole, hexadecimal. */
  readonly sha256: string;
}

/** The segment is `header`, each unit as `sealedUnit` finds it in its slab, `trailer`. Every unit has its own sequence number. */
export function sealSegment({ header, key, units }: Sealing): SealedSegment {
  const lastSeq = header.firstSeq + units.length - 1;
  if (lastSeq > SEQ_MAX) throw new RangeError(`sequence number ${lastSeq} does not fit the nonce`);
  const encrypt = (seq: number, plain: Uint8Array, covered: Uint8Array) =>
    seal(plain, { key, nonce: nonceOf(header.epoch, seq), associated: [headerBytes, covered] });
  const headerBytes = encodeHeader(header);
  const hash = createHash('sha256').update(headerBytes);
  for (const [index, unit] of units.entries()) {
    const seq = header.firstSeq + index;
    const frame = encodeFrame({ ...unit, seq, sealedBytes: unit.packedBytes });
    const bytes = sealedUnit(unit);
    const { sealed, tag } = encrypt(seq, bytes.subarray(FRAME_BYTES, -TAG_BYTES), frame);
    bytes.set(frame);
    bytes.set(sealed, FRAME_BYTES);
    bytes.set(tag, FRAME_BYTES + sealed.length);
    letGo(sealed);
    hash.update(bytes);
  }
  const counts = encodeTrailerCounts({
    unitCount: units.length,
    recordCount: sum(units, (unit) => unit.recordCount),
    rawBytes: sum(units, (unit) => unit.dataBytes),
    lastSeq,
  });
  const covered = Buffer.concat([counts, hash.update(counts).copy().digest()]);
  const { tag } = encrypt(lastSeq + 1, Buffer.alloc(0), covered);
  const trailer = Uint8Array.from([...covered, ...tag]);
  return {
    header: headerBytes,
    trailer,
    lastSeq,
    rawBytes: sum(units, (unit) => unit.dataBytes),
    wireBytes: headerBytes.length + sum(units, (unit) => sealedUnit(unit).length) + trailer.length,
    sha256: hash.update(trailer.subarray(counts.length)).digest('hex'),
  };
}

/** `frame | sealed payload | tag` of a unit of a sealed segment. */
export function sealedUnit({ slab, at, packedBytes }: UnitToSeal): Buffer {
  return Buffer.from(slab, at - FRAME_BYTES, FRAME_BYTES + packedBytes + TAG_BYTES);
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}
