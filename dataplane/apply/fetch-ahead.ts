/** Fetches segments before their turn comes. */
import type { SegmentRef } from '../../domain/replication.ts';
import { MiB } from '../../domain/units.ts';
import { Budget } from '../budget.ts';
import { letGo } from '../threads/let-go.ts';
import type { ChainedSegment } from './apply-segments.ts';

/** Under way or waiting while one is being applied. */
const SEGMENTS_AHEAD = 2;
const FETCHED_BYTES_MAX = 32 * MiB;

export interface FetchOptions {
  readonly signal: AbortSignal;
  /** Bytes of nobody else. */
  fetch(ref: SegmentRef, signal: AbortSignal): Promise<Uint8Array>;
  /** Wire bytes that may be held; may be shared by several disks. Default: 32 MiB of its own. */
  readonly budget?: Budget;
}

interface FetchedSegment extends ChainedSegment {
  readonly bytes: Uint8Array;
}

/** In the order of the chain. A segment's bytes are there, and count against the budget, until the next one is asked for. */
export async function* fetchAhead(
  chain: readonly ChainedSegment[],
  options: FetchOptions,
): AsyncGenerator<FetchedSegment> {
  const { budget = new Budget(FETCHED_BYTES_MAX) } = options;
  const stop = new AbortController();
  const signal = AbortSignal.any([options.signal, stop.signal]);
  /** The budget is handed out in the order of the chain, so that the first one in line always gets its share. */
  const fetch = async (ref: SegmentRef) => {
    await budget.acquire(ref.wireBytes, signal);
    try {
      return await options.fetch(ref, signal);
    } catch (error) {
      budget.release(ref.wireBytes);
      throw error;
    }
  };
  const line: { readonly chained: ChainedSegment; readonly fetching: Promise<Uint8Array> }[] = [];
  const upcoming = chain.values();
  const enqueue = () => {
    const { value: chained } = upcoming.next();
    if (chained === undefined) return;
    const fetching = fetch(chained.ref);
    // A failure is met when its turn comes.
    fetching.catch(() => undefined);
    line.push({ chained, fetching });
  };
  try {
    for (let ahead = 0; ahead <= SEGMENTS_AHEAD; ahead += 1) enqueue();
    for (let first = line[0]; first !== undefined; first = line[0]) {
      const bytes = await first.fetching;
      line.shift();
      try {
        yield { ...first.chained, bytes };
      } finally {
        letGo(bytes);
        budget.release(first.chained.ref.wireBytes);
      }
      enqueue();
    }
  } finally {
    stop.abort();
    // What was fetched in vain gives its share back.
    for (const { chained, fetching } of line) {
      fetching.then(
        () => budget.release(chained.ref.wireBytes),
        () => undefined,
      );
    }
  }
}
