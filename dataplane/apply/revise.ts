/** Lays new content over what a range holds, and tells what of it differs. */
import { coalesceExtents } from '../../domain/extents.ts';
import type { Extent } from '../../domain/replication.ts';
import { KiB, MiB, SECTOR_BYTES } from '../../domain/units.ts';
import type { Piece } from './content.ts';

/** Compared in blocks of this size first, then in smaller ones where a block differs. */
const STEPS = [64 * KiB, 4 * KiB, SECTOR_BYTES] as const;
const ZEROS = Buffer.alloc(4 * MiB);

/**
 * `held` is what the range at `offset` holds; afterwards it is what the range shall hold. Answers the runs of pages
 * that changed, at most `gapBytes` apart joined.
 */
export function overlayPieces(
  held: Buffer,
  offset: number,
  pieces: readonly Piece[],
  gapBytes: number,
): Extent[] {
  const changed: Extent[] = [];
  for (const piece of pieces) {
    const at = piece.offset - offset;
    for (const range of differing(held.subarray(at, at + piece.length), bytesOf(piece), 0)) {
      changed.push({ offset: piece.offset + range.offset, length: range.length });
    }
  }
  copyPieces(held, offset, pieces);
  return coalesceExtents(changed, gapBytes);
}

/** Puts the pieces where they belong in the range that begins at `offset`. */
export function copyPieces(range: Buffer, offset: number, pieces: readonly Piece[]): void {
  for (const piece of pieces) bytesOf(piece).copy(range, piece.offset - offset);
}

function bytesOf(piece: Piece): Buffer {
  return piece.data ?? ZEROS.subarray(0, piece.length);
}

function* differing(held: Buffer, wanted: Buffer, level: number): Generator<Extent> {
  const step = STEPS[level] ?? SECTOR_BYTES;
  for (let at = 0; at < held.length; at += step) {
    const end = Math.min(at + step, held.length);
    const heldPart = held.subarray(at, end);
    const wantedPart = wanted.subarray(at, end);
    if (heldPart.equals(wantedPart)) continue;
    if (level === STEPS.length - 1) {
      yield { offset: at, length: end - at };
      continue;
    }
    for (const inner of differing(heldPart, wantedPart, level + 1)) {
      yield { offset: at + inner.offset, length: inner.length };
    }
  }
}
