/** The hash of a whole disk: proof that two sides hold the same bytes. */
import type { DiskSource, OnProgress } from '../../domain/ports.ts';
import { readPieces } from '../ship/pieces.ts';
import { StreamHash } from './stream-hash.ts';

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
  const hash = new StreamHash();
  try {
    const extents = bytes === 0 ? [] : [{ offset: 0, length: bytes }];
    for await (const { offset, length, data } of readPieces({ source, extents }, signal)) {
      await hash.add(data, length, signal);
      onProgress(Math.floor((100 * (offset + length)) / bytes));
    }
    return await hash.digest();
  } finally {
    await hash.close();
  }
}
