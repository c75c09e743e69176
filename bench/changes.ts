/** What a guest changes on the test disk between two copies. */
import type { FileHandle } from 'node:fs/promises';
import { open } from 'node:fs/promises';
import type { Extent } from '../domain/replication.ts';
import { KiB } from '../domain/units.ts';
import { seededStream } from './random.ts';
import type { SeededStream } from './random.ts';

export type ChangeSize = '4k' | '64k';

export const changeBytes: Readonly<Record<ChangeSize, number>> = { '4k': 4 * KiB, '64k': 64 * KiB };

const BLOCK_BYTES = 4 * KiB;
const RANDOM_BYTES = BLOCK_BYTES / 2;

/** One percent of the disk in pieces of that size at distinct, aligned places; sorted. */
export function onePercent(seed: number, size: ChangeSize, diskBytes: number): Extent[] {
  const length = changeBytes[size];
  const count = Math.floor(diskBytes / 100 / length);
  const stream = seededStream(seed, `places of ${size}`);
  return scattered(stream, { count, length, diskBytes });
}

export function scattered(
  stream: SeededStream,
  wanted: { readonly count: number; readonly length: number; readonly diskBytes: number },
): Extent[] {
  const { count, length, diskBytes } = wanted;
  const slots = Math.floor(diskBytes / length);
  if (count > slots) throw new RangeError(`${count} pieces of ${length} bytes do not fit ${diskBytes} bytes`);
  const chosen = new Set<number>();
  while (chosen.size < count) chosen.add(stream.below(slots));
  return [...chosen].sort((a, b) => a - b).map((slot) => ({ offset: slot * length, length }));
}

/** Half of every 4 KiB is random and half repeats itself, so that about half of it travels. */
export function changedBytes(stream: SeededStream, length: number): Buffer {
  const bytes = Buffer.alloc(length, 'the quick brown fox changes a lazy block; ');
  for (let at = 0; at < length; at += BLOCK_BYTES) {
    stream.bytes(Math.min(RANDOM_BYTES, length - at)).copy(bytes, at);
  }
  return bytes;
}

/** Writes them into the image. The same seed and label write the same bytes. */
export async function writeChanges(
  image: string,
  extents: readonly Extent[],
  stream: SeededStream,
): Promise<void> {
  await withFile(image, 'r+', async (file) => {
    for (const { offset, length } of extents) {
      await file.write(changedBytes(stream, length), 0, length, offset);
    }
  });
}

/** Makes the image what it was: the bytes of the extents come from `original`. */
export async function restore(image: string, original: string, extents: readonly Extent[]): Promise<void> {
  await withFile(original, 'r', (from) =>
    withFile(image, 'r+', async (to) => {
      for (const { offset, length } of extents) {
        const bytes = Buffer.alloc(length);
        await from.read(bytes, 0, length, offset);
        await to.write(bytes, 0, length, offset);
      }
    }),
  );
}

async function withFile(
  path: string,
  flags: string,
  work: (file: FileHandle) => Promise<void>,
): Promise<void> {
  const file = await open(path, flags);
  try {
    await work(file);
  } finally {
    await file.close();
  }
}
