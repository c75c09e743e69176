/** Collects neighbouring records of a disk into one payload of at most 1 MiB of data. */
import { crc32c } from '@node-rs/crc32';
import {
  KIND_WRITE,
  KIND_ZERO,
  RECORD_BYTES,
  UNIT_DATA_BYTES_MAX,
  UNIT_RECORDS_MAX,
  ZERO_RECORD_BYTES_MAX,
  writeU64,
} from './layout.ts';

interface OpenRecord {
  readonly kind: number;
  readonly offset: number;
  readonly dataOffset: number;
  length: number;
}

const TABLE_BYTES_MAX = UNIT_RECORDS_MAX * RECORD_BYTES;

/** Reused for every unit of a disk: the table is laid right before the data, so that a payload is one piece of memory. */
export class UnitBuffer {
  readonly #buffer = Buffer.allocUnsafe(TABLE_BYTES_MAX + UNIT_DATA_BYTES_MAX);
  readonly #records: OpenRecord[] = [];
  #dataBytes = 0;

  get isEmpty(): boolean {
    return this.#records.length === 0;
  }

  get recordCount(): number {
    return this.#records.length;
  }

  get dataBytes(): number {
    return this.#dataBytes;
  }

  /** Takes what fits and says how many bytes that were; 0 means the unit is full. */
  addWrite(offset: number, data: Uint8Array): number {
    const taken = Math.min(data.length, UNIT_DATA_BYTES_MAX - this.#dataBytes);
    if (taken === 0) return 0;
    if (!this.#extend(KIND_WRITE, offset, taken, Infinity)) {
      if (this.#records.length === UNIT_RECORDS_MAX) return 0;
      this.#records.push({ kind: KIND_WRITE, offset, dataOffset: this.#dataBytes, length: taken });
    }
    this.#buffer.set(data.subarray(0, taken), TABLE_BYTES_MAX + this.#dataBytes);
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

  /** The payload; valid until the next record is added. */
  payload(): Buffer {
    const start = TABLE_BYTES_MAX - this.#records.length * RECORD_BYTES;
    for (const [index, record] of this.#records.entries()) {
      this.#encode(record, start + index * RECORD_BYTES);
    }
    return this.#buffer.subarray(start, TABLE_BYTES_MAX + this.#dataBytes);
  }

  clear(): void {
    this.#records.length = 0;
    this.#dataBytes = 0;
  }

  #extend(kind: number, offset: number, length: number, lengthMax: number): boolean {
    const last = this.#records.at(-1);
    if (last === undefined || last.kind !== kind || last.offset + last.length !== offset) return false;
    if (last.length + length > lengthMax) return false;
    last.length += length;
    return true;
  }

  #encode(record: OpenRecord, at: number): void {
    const bytes = this.#buffer;
    const dataAt = TABLE_BYTES_MAX + record.dataOffset;
    const isWrite = record.kind === KIND_WRITE;
    writeU64(bytes, record.offset, at);
    bytes.writeUInt32LE(record.length, at + 8);
    bytes.writeUInt16LE(record.kind, at + 12);
    bytes.writeUInt16LE(0, at + 14);
    bytes.writeUInt32LE(record.dataOffset, at + 16);
    bytes.writeUInt32LE(isWrite ? crc32c(bytes.subarray(dataAt, dataAt + record.length)) : 0, at + 20);
  }
}
