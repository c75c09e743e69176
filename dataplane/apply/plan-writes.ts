/**
 * Decides by which requests a batch's content gets to its disk. Pure.
 *
 * Long zeros are cleared, which frees their pages. What is left is cut into windows of 4 MiB, the most that one
 * request carries. In a window, neighbours can be put one by one, or the range around them can be read, overlaid and
 * put where it differs: that pays where it saves requests, or where most of it may not have changed at all. Azure
 * bills a page again after it was rewritten, with the same bytes too, as long as a snapshot holds the old one.
 */
import { extentEnd, splitExtent } from '../../domain/extents.ts';
import type { Extent } from '../../domain/replication.ts';
import { KiB, MiB } from '../../domain/units.ts';
import type { Piece } from './content.ts';
import { cut } from './content.ts';
import type { CostModel } from './cost-model.ts';
import { breakEvenBytes, costMs } from './cost-model.ts';

/** Azure's bound for one Put Page. */
export const WINDOW_BYTES = 4 * MiB;
/** Shorter zeros between data travel as data: to clear them would cost one or two requests more. */
export const CLEAR_BYTES_MIN = 64 * KiB;
/** Changes are tracked in blocks of at least this size; what comes in smaller pieces has surely changed. */
const SUSPECT_BYTES_MIN = 64 * KiB;
/** So much that did not change is rewritten where it saves a request. */
const REWRITTEN_GAP_BYTES = 16 * KiB;

/** Never: nothing is there that could be worth it. Save requests: the applier lags. Skip unchanged: it keeps up. */
export type Reading = 'never' | 'toSaveRequests' | 'toSkipUnchanged';

export interface WritePolicy {
  readonly reading: Reading;
  readonly cost: CostModel;
}

export type WriteRequest =
  | { readonly kind: 'clear'; readonly offset: number; readonly length: number }
  | Run
  | {
      /** Read the range, lay the pieces over it, put what differs; runs with at most `gapBytes` between them as one. */
      readonly kind: 'revise';
      readonly offset: number;
      readonly length: number;
      readonly pieces: readonly Piece[];
      readonly gapBytes: number;
    };

/** Pieces that touch. */
interface Run {
  readonly kind: 'put';
  readonly offset: number;
  readonly length: number;
  readonly pieces: readonly Piece[];
}

/** `content` is sorted and does not overlap; nor do the requests, so they may be sent in any order. */
export function planWrites(content: readonly Piece[], policy: WritePolicy): WriteRequest[] {
  const requests: WriteRequest[] = [];
  let neighbours: Run[] = [];
  const close = () => {
    requests.push(...planRuns(neighbours, policy));
    neighbours = [];
  };
  for (const stretch of stretchesOf(content)) {
    if (stretch.isZero) {
      close();
      requests.push({ kind: 'clear', offset: stretch.offset, length: stretch.length });
      continue;
    }
    for (const run of runsOf(stretch)) {
      const last = neighbours.at(-1);
      if (last !== undefined && windowOf(last.offset) !== windowOf(run.offset)) close();
      neighbours.push(run);
    }
  }
  close();
  return requests;
}

interface Stretch extends Extent {
  readonly isZero: boolean;
  readonly pieces: readonly Piece[];
}

/** Content that touches, as alternating stretches of data and of zeros that are worth a request. */
function stretchesOf(content: readonly Piece[]): Stretch[] {
  const plain = joined(
    content.map((piece) => ({
      isZero: piece.data === null,
      offset: piece.offset,
      length: piece.length,
      pieces: [piece],
    })),
  );
  return joined(
    plain.map((stretch, index) => {
      const isShort = stretch.length < CLEAR_BYTES_MIN && hasDataBeside(plain, index);
      return stretch.isZero && isShort ? { ...stretch, isZero: false } : stretch;
    }),
  );
}

/** Neighbours of one kind that touch become one. */
function joined(stretches: readonly Stretch[]): Stretch[] {
  const result: { isZero: boolean; offset: number; length: number; pieces: Piece[] }[] = [];
  for (const { isZero, offset, length, pieces } of stretches) {
    const last = result.at(-1);
    if (last !== undefined && last.isZero === isZero && extentEnd(last) === offset) {
      last.length += length;
      last.pieces.push(...pieces);
    } else {
      result.push({ isZero, offset, length, pieces: [...pieces] });
    }
  }
  return result;
}

function hasDataBeside(stretches: readonly Stretch[], index: number): boolean {
  const here = stretches[index];
  const before = stretches[index - 1];
  const after = stretches[index + 1];
  if (here === undefined) return false;
  return (
    (before !== undefined && !before.isZero && extentEnd(before) === here.offset) ||
    (after !== undefined && !after.isZero && extentEnd(here) === after.offset)
  );
}

/** A stretch cut at every window. */
function runsOf(stretch: Stretch): Run[] {
  const runs: { kind: 'put'; offset: number; length: number; pieces: Piece[] }[] = [];
  for (const piece of stretch.pieces) {
    for (const part of splitExtent(piece, WINDOW_BYTES)) {
      const last = runs.at(-1);
      const inWindow = cut(piece, part.offset, extentEnd(part));
      if (last !== undefined && windowOf(last.offset) === windowOf(part.offset)) {
        last.length += part.length;
        last.pieces.push(inWindow);
      } else {
        runs.push({ kind: 'put', offset: part.offset, length: part.length, pieces: [inWindow] });
      }
    }
  }
  return runs;
}

function windowOf(offset: number): number {
  return Math.floor(offset / WINDOW_BYTES);
}

function planRuns(runs: readonly Run[], policy: WritePolicy): readonly WriteRequest[] {
  if (policy.reading === 'never') return runs;
  if (policy.reading === 'toSaveRequests') return fewestRequests(runs, policy.cost);
  return groupsOf(runs, breakEvenBytes(policy.cost)).flatMap((group) =>
    bytesOf(group) >= SUSPECT_BYTES_MIN
      ? [revise(group, REWRITTEN_GAP_BYTES)]
      : fewestRequests(group, policy.cost),
  );
}

/** Runs with at most `gapBytes` between neighbours: one reading for all of them costs least. */
function groupsOf(runs: readonly Run[], gapBytes: number): Run[][] {
  const groups: Run[][] = [];
  for (const run of runs) {
    const group = groups.at(-1);
    const last = group?.at(-1);
    if (group !== undefined && last !== undefined && run.offset - extentEnd(last) <= gapBytes)
      group.push(run);
    else groups.push([run]);
  }
  return groups;
}

/** The cheapest way to cut the runs into groups that are put as they are, or read and put as one. O(n²), n ≤ 4096. */
function fewestRequests(runs: readonly Run[], cost: CostModel): readonly WriteRequest[] {
  if (runs.length < 3) return runs;
  /** For the first n runs: what they cost, and where their last group begins. */
  const best: { readonly ms: number; readonly from: number }[] = [{ ms: 0, from: 0 }];
  for (const [index, run] of runs.entries()) {
    let choice = { ms: msAt(best, index) + costMs(cost, 1, run.length), from: index };
    for (let from = index - 1; from >= 0; from -= 1) {
      const span = extentEnd(run) - (runs[from]?.offset ?? 0);
      const together = costMs(cost, 2, 2 * span);
      if (together >= choice.ms) break;
      const ms = msAt(best, from) + together;
      if (ms < choice.ms) choice = { ms, from };
    }
    best.push(choice);
  }
  const requests: WriteRequest[] = [];
  for (let end = runs.length; end > 0;) {
    const from = best[end]?.from ?? end - 1;
    const group = runs.slice(from, end);
    requests.push(...(group.length === 1 ? group : [revise(group, breakEvenBytes(cost))]));
    end = from;
  }
  return requests.toReversed();
}

function msAt(best: readonly { readonly ms: number }[], count: number): number {
  return best[count]?.ms ?? 0;
}

function revise(group: readonly Run[], gapBytes: number): WriteRequest {
  const first = group[0]?.offset ?? 0;
  const last = group.at(-1);
  const end = last === undefined ? first : extentEnd(last);
  const pieces = group.flatMap((run) => run.pieces);
  return { kind: 'revise', offset: first, length: end - first, pieces, gapBytes };
}

function bytesOf(runs: readonly Run[]): number {
  return runs.reduce((sum, run) => sum + run.length, 0);
}
