/** What a batch of records leaves behind: for every byte the last writer's, sorted, without overlaps. */
import { extentEnd } from '../../domain/extents.ts';
import type { Extent } from '../../domain/replication.ts';

/** `data` is null for zeros, else as long as the extent. */
export interface Piece extends Extent {
  readonly data: Buffer | null;
}

/** Takes records in the order they were written. O(n log n); records that only ascend are taken as they are. */
export function finalContent(records: readonly Piece[]): readonly Piece[] {
  if (records.every((record, index) => record.offset >= endBefore(records, index))) return records;
  return resolve(records, 0, records.length);
}

function endBefore(records: readonly Piece[], index: number): number {
  const before = records[index - 1];
  return before === undefined ? 0 : extentEnd(before);
}

function resolve(records: readonly Piece[], from: number, to: number): readonly Piece[] {
  if (to - from < 2) return records.slice(from, to);
  const middle = Math.floor((from + to) / 2);
  return overlay(resolve(records, from, middle), resolve(records, middle, to));
}

/** Both lists are sorted and without overlaps; where they meet, `newer` wins. */
function overlay(older: readonly Piece[], newer: readonly Piece[]): Piece[] {
  const merged: Piece[] = [];
  let at = 0;
  for (const piece of older) {
    let rest: Piece | null = piece;
    while (rest !== null) {
      const over: Piece | undefined = newer[at];
      if (over === undefined || over.offset >= extentEnd(rest)) {
        merged.push(rest);
        break;
      }
      if (rest.offset < over.offset) merged.push(cut(rest, rest.offset, over.offset));
      // What reaches to the end of the rest may reach into the next piece too: it stays in its list.
      if (extentEnd(over) >= extentEnd(rest) && rest.offset < extentEnd(over)) break;
      merged.push(over);
      at += 1;
      rest = cut(rest, Math.max(rest.offset, extentEnd(over)), extentEnd(rest));
    }
  }
  merged.push(...newer.slice(at));
  return merged;
}

/** The part of a piece from `start` up to `end`, both inside it. */
export function cut(piece: Piece, start: number, end: number): Piece {
  const data = piece.data?.subarray(start - piece.offset, end - piece.offset) ?? null;
  return { offset: start, length: end - start, data };
}
