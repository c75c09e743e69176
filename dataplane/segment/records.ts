/** The record table of a payload: where each record's bytes lie in the data behind the table. */
import { crc32c } from '@node-rs/crc32';
import { SECTOR_BYTES } from '../../domain/units.ts';
import { KIND_WRITE, KIND_ZERO, RECORD_BYTES, readU64, writeU64 } from './layout.ts';

export type SegmentRecord =
  | { readonly kind: 'write'; readonly offset: number; readonly length: number; readonly data: Buffer }
  | { readonly kind: 'zero'; readonly offset: number; readonly length: number };

/** A row of the table but for its checksum. */
export interface RecordRow {
  readonly kind: number;
  readonly offset: number;
  /** In the payload's data; 0 for a zero record. */
  readonly dataOffset: number;
  readonly length: number;
}

/** Writes a row with a checksum of 0: `fillChecksums` completes the table. */
export function encodeRow(bytes: Buffer, at: number, row: RecordRow): void {
  writeU64(bytes, row.offset, at);
  bytes.writeUInt32LE(row.length, at + 8);
  bytes.writeUInt16LE(row.kind, at + 12);
  bytes.writeUInt16LE(0, at + 14);
  bytes.writeUInt32LE(row.dataOffset, at + 16);
  bytes.writeUInt32LE(0, at + 20);
}

/** Puts the CRC-32C of its raw data into the row of every write record. */
export function fillChecksums(payload: Buffer, recordCount: number): void {
  const data = payload.subarray(recordCount * RECORD_BYTES);
  for (let at = 0; at < recordCount * RECORD_BYTES; at += RECORD_BYTES) {
    if (payload.readUInt16LE(at + 12) !== KIND_WRITE) continue;
    const start = payload.readUInt32LE(at + 16);
    payload.writeUInt32LE(crc32c(data.subarray(start, start + payload.readUInt32LE(at + 8))), at + 20);
  }
}

/** What is wrong with the payload of unit `seq`; null: nothing is, and every checksum matches. */
export function findFault(
  payload: Buffer,
  unit: { readonly recordCount: number; readonly seq: number; readonly capacityBytes: number },
): string | null {
  const { recordCount, seq, capacityBytes } = unit;
  const dataAt = recordCount * RECORD_BYTES;
  if (payload.length < dataAt) return `unit ${seq} is shorter than its record table`;
  const data = payload.subarray(dataAt);
  for (let at = 0; at < dataAt; at += RECORD_BYTES) {
    const offset = readU64(payload, at);
    const length = payload.readUInt32LE(at + 8);
    const kind = payload.readUInt16LE(at + 12);
    const isAligned = offset % SECTOR_BYTES === 0 && length % SECTOR_BYTES === 0 && length > 0;
    if (!isAligned || offset + length > capacityBytes) return `a record of unit ${seq} lies outside the disk`;
    if (kind === KIND_ZERO) continue;
    if (kind !== KIND_WRITE) return `unit ${seq} holds a record of unknown kind ${kind}`;
    const start = payload.readUInt32LE(at + 16);
    const raw = data.subarray(start, start + length);
    if (raw.length !== length || crc32c(raw) !== payload.readUInt32LE(at + 20)) {
      return `the checksum of a record of unit ${seq} differs`;
    }
  }
  return null;
}

/** Records of a payload in which `findFault` found nothing; `data` lies in the payload. */
export function* recordsOf(payload: Buffer, recordCount: number): Generator<SegmentRecord> {
  const dataAt = recordCount * RECORD_BYTES;
  for (let at = 0; at < dataAt; at += RECORD_BYTES) {
    const offset = readU64(payload, at);
    const length = payload.readUInt32LE(at + 8);
    if (payload.readUInt16LE(at + 12) === KIND_ZERO) {
      yield { kind: 'zero', offset, length };
    } else {
      const start = dataAt + payload.readUInt32LE(at + 16);
      yield { kind: 'write', offset, length, data: payload.subarray(start, start + length) };
    }
  }
}
