/** The hash of a whole disk: proof that two sides hold the same bytes. */
import { createHash } from 'node:crypto';
import type { DiskSource, OnProgress } from '../../domain/ports.ts';
import { MiB } from '../../domain/units.ts';
import { readPieces } from '../ship/pieces.ts';

const ZEROS = Buffer.alloc(4 * MiB);

/** SHA-256, hexadecimal, of the first `bytes` bytes. Holes are not read; they count as zeros. */
export async function hashDisk(
  source: DiskSource,
  bytes: number,
  signal: AbortSignal,
  onProgress: OnProgress,
): Promise<string> {
  if (bytes > source.capacityBytes) {
    throw new RangeError(`${bytes} bytes of a disk of ${source.capacityBytes}`);
  }
  const hash = createHash('sha256');
  const extents = bytes === 0 ? [] : [{ offset: 0, length: bytes }];
  for await (const { offset, length, data } of readPieces({ source, extents }, signal)) {
    if (data !== null) hash.update(data);
    else hashZeros(hash, length);
    onProgress(Math.floor((100 * (offset + length)) / bytes));
  }
  return hash.digest('hex');
}

function hashZeros(hash: ReturnType<typeof createHash>, length: number): void {
  for (let left = length; left > 0; left -= ZEROS.length) {
    hash.update(ZEROS.subarray(0, Math.min(left, ZEROS.length)));
  }
}
