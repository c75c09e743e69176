import type { Range } from './range.ts';

export const BLOCK_BYTES = 4096;
/** Of one chunk: 16 MiB. */
export const CHUNK_BLOCKS = 4096;

/** What a layer says of a block: nothing (0), it holds its bytes, or it was given back and reads as zeros. */
export const BLOCK = { absent: 0, data: 1, cleared: 2 } as const;
export type BlockState = (typeof BLOCK)[keyof typeof BLOCK];

/** The state of every block of one layer, in chunks of 16 MiB; untouched chunks cost nothing. */
export class BlockMap {
  readonly #chunks = new Map<number, Uint8Array>();

  chunk(index: number): Uint8Array | undefined {
    return this.#chunks.get(index);
  }

  set(first: number, count: number, state: BlockState): void {
    for (let at = first; at < first + count;) {
      const index = Math.floor(at / CHUNK_BLOCKS);
      const end = Math.min(first + count, (index + 1) * CHUNK_BLOCKS);
      const chunk = this.#chunks.get(index) ?? new Uint8Array(CHUNK_BLOCKS);
      chunk.fill(state, at - index * CHUNK_BLOCKS, end - index * CHUNK_BLOCKS);
      this.#chunks.set(index, chunk);
      at = end;
    }
  }
}

/** Blocks next to each other that changed in the same way. */
export interface Run extends Range {
  readonly isClear: boolean;
}

/**
 * What changed from the oldest `since` maps of a chain to all of it, in order and 4 KiB exact: blocks whose newest
 * bytes are in a later map, and blocks given back that held bytes before. With `since` 0: the blocks that hold bytes.
 */
export function* changedRuns(chain: readonly BlockMap[], since: number, range: Range): Generator<Run> {
  const [before, after] = [chain.slice(0, since), chain.slice(since)];
  const chunkBytes = CHUNK_BLOCKS * BLOCK_BYTES;
  let open: Run = { start: 0, end: 0, isClear: false };
  for (let index = Math.floor(range.start / chunkBytes); index * chunkBytes < range.end; index++) {
    const now = newest(after, index);
    if (now === null) continue;
    const then = now.includes(BLOCK.cleared) ? newest(before, index) : null;
    for (let at = 0; at < CHUNK_BLOCKS; at++) {
      const isClear = now[at] === BLOCK.cleared && then?.[at] === BLOCK.data;
      if (now[at] !== BLOCK.data && !isClear) continue;
      const start = index * chunkBytes + at * BLOCK_BYTES;
      const isNext = open.end === start && open.isClear === isClear;
      if (!isNext) yield* clipped(open, range);
      open = { start: isNext ? open.start : start, end: start + BLOCK_BYTES, isClear };
    }
  }
  yield* clipped(open, range);
}

/** The newest state of each block of a chunk; null: no map knows the chunk. */
function newest(maps: readonly BlockMap[], index: number): Uint8Array | null {
  let merged: Uint8Array | null = null;
  for (const map of maps) {
    const chunk = map.chunk(index);
    if (chunk === undefined) continue;
    if (merged === null) merged = chunk.slice();
    else for (let at = 0; at < CHUNK_BLOCKS; at++) merged[at] = chunk[at] || (merged[at] ?? 0);
  }
  return merged;
}

function* clipped({ start, end, isClear }: Run, range: Range): Generator<Run> {
  const [from, to] = [Math.max(start, range.start), Math.min(end, range.end)];
  if (from < to) yield { start: from, end: to, isClear };
}
