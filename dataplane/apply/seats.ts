/**
 * What all appliers of a process share: seats. Whoever has one has memory of his own until he leaves it, so that a disk
 * whose account does not answer holds up nobody but itself, and nobody waits for somebody who waits for him.
 */
import { MiB } from '../../domain/units.ts';
import { Budget } from '../budget.ts';
import type { WriterPools } from './page-writer.ts';
import { createWriterPools } from './page-writer.ts';

/** Disks that are written at the same time; further ones take turns with them. A blob takes 60 MiB/s, the others wait. */
const SEATS = 3;
/** One that fills and one on its way. */
const BATCHES = 2;
const WINDOWS = 2;
/** Two segments as they usually are; one that does not compress comes alone. */
const FETCHED_BYTES = 6 * MiB;

export interface Seat {
  readonly pools: WriterPools;
  /** Wire bytes of segments that are fetched and not applied. */
  readonly fetched: Budget;
}

const room = new Budget(SEATS);
const free: Seat[] = [];

/**
 * Runs `work` in a seat, first come, first served. All seats together hold at most 90 MiB, and half of it while
 * nothing has to be compared or put together.
 */
export async function inSeat<T>(signal: AbortSignal, work: (seat: Seat) => Promise<T>): Promise<T> {
  await room.acquire(1, signal);
  const seat = free.pop() ?? {
    pools: createWriterPools(BATCHES, WINDOWS),
    fetched: new Budget(FETCHED_BYTES),
  };
  try {
    return await work(seat);
  } finally {
    free.push(seat);
    room.release(1);
  }
}
