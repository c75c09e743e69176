/**
 * What all appliers of a process share. Each disk that is being applied has a seat; whoever has one gets, sooner or
 * later, a batch and its segments, so that nobody waits for somebody who waits for him.
 */
import { MiB } from '../../domain/units.ts';
import { Budget } from '../budget.ts';
import type { WriterPools } from './page-writer.ts';
import { createWriterPools } from './page-writer.ts';

/** Disks that are written at the same time; further ones take turns with them. */
const SEATS = 8;
/** One for every seat to fill, and as many as it takes to keep the account busy. */
const BATCHES_MAX = 12;
const WINDOWS_MAX = 6;
const FETCHED_BYTES_MAX = 32 * MiB;

export interface ApplyResources {
  readonly seats: Budget;
  readonly pools: WriterPools;
  /** Wire bytes of segments that are fetched and not applied. */
  readonly fetched: Budget;
}

/** Together below 160 MiB, however many disks there are. */
export const applyResources: ApplyResources = {
  seats: new Budget(SEATS),
  pools: createWriterPools(BATCHES_MAX, WINDOWS_MAX),
  fetched: new Budget(FETCHED_BYTES_MAX),
};
