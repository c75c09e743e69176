/**
 * Signatures of records. A record is one JSON object; its signature is its last field, over the text without it. So
 * readers that hold no key read it as before.
 */
import { timingSafeEqual } from 'node:crypto';
import type { ItemKey } from '../keys.ts';

const SIGNATURE = /,"mac":"([0-9a-f]{64})"\}$/;

export function signRecord(record: object, key: ItemKey): Buffer {
  const text = JSON.stringify(record);
  return Buffer.from(`${text.slice(0, -1)},"mac":"${key.recordMac(text)}"}`);
}

/** A record without signature is authentic only where the key is older than signatures. */
export function isAuthentic(body: Uint8Array, key: ItemKey): boolean {
  const text = Buffer.from(body).toString('utf8');
  const found = SIGNATURE.exec(text);
  if (found === null) return !key.signsRecords;
  const expected = key.recordMac(`${text.slice(0, found.index)}}`);
  return timingSafeEqual(Buffer.from(found[1] ?? ''), Buffer.from(expected));
}
