/** Collects neighbouring records of a disk into one payload of at most 1 MiB of data. */
import {
  FRAME_BYTES,
  KIND_WRITE,
  KIND_ZERO,
  RECORD_BYTES,
  UNIT_DATA_BYTES_MAX,
  UNIT_RECORDS_MAX,
  ZERO_RECORD_BYTES_MAX,
} from './layout.ts';
import { encodeRow } from './records.ts';

interface OpenRecord {
  readonly kind: number;
  readonly offset: number;
  readonly dataOffset: number;
  length: number;
}

/** Where a payload lies in its slab. */
interface Payload {
  readonly at: number;
  readonly plainBytes: number;
  readonly recordCount: number;
  readonly dataBytes: number;
}

const DATA_AT = FRAME_BYTES + UNIT_RECORDS_MAX * RECORD_BYTES;

/** Fills a slab: the table is laid right before the data, so that a payload is one piece of memory with room for a frame before it. */
export class UnitBuffer {
  readonly #slab: Buffer;
  readonly #records: OpenRecord[] = [];
  #dataBytes = 0;

  constructor(slab: Buffer) {
    this.#slab = slab;
  }

  get slab(): Buffer {
    return this.#slab;
  }

  /** Takes what fits and says how many bytes that were; 0 means the unit is full. */
  addWrite(offset: number, data: Uint8Array): number {
    const taken = Math.min(data.length, UNIT_DATA_BYTES_MAX - this.#dataBytes);
    if (taken === 0) return 0;
    if (!this.#extend(KIND_WRITE, offset, taken, Infinity)) {
      if (this.#records.length === UNIT_RECORDS_MAX) return 0;
      this.#records.push({ kind: KIND_WRITE, offset, dataOffset: this.#dataBytes, length: taken });
    }
    this.#slab.set(taken === data.length ? data : data.subarray(0, taken), DATA_AT + this.#dataBytes);
    this.#dataBytes += taken;
    return taken;
  }

  /** As `addWrite`, for a run of zeros. */
  addZero(offset: number, length: number): number {
    const taken = Math.min(length, ZERO_RECORD_BYTES_MAX);
    if (this.#extend(KIND_ZERO, offset, taken, ZERO_RECORD_BYTES_MAX)) return taken;
    if (this.#records.length === UNIT_RECORDS_MAX) return 0;
    this.#records.push({ kind: KIND_ZERO, offset, dataOffset: 0, length: taken });
    return taken;
  }

  /** Lays the table; the checksums are filled in by `packUnit`. Nothing may be added any more. */
  finish(): Payload {
    const recordCount = this.#records.length;
    const at = DATA_AT - recordCount * RECORD_BYTES;
    for (const [index, record] of this.#records.entries()) {
      encodeRow(this.#slab, at + index * RECORD_BYTES, record);
    }
    return { at, plainBytes: DATA_AT - at + this.#dataBytes, recordCount, dataBytes: this.#dataBytes };
  }

  #extend(kind: number, offset: number, length: number, lengthMax: number): boolean {
    const last = this.#records.at(-1);
    if (last === undefined || last.kind !== kind || last.offset + last.length !== offset) return false;
    if (last.length + length > lengthMax) return false;
    last.length += length;
    return true;
  }
}
