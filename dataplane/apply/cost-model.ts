/** What a request and a byte cost on the blob that holds a replica. */
import { MiB } from '../../domain/units.ts';

export interface CostModel {
  readonly requestMs: number;
  readonly bytesPerMs: number;
}

/**
 * One page blob of a standard account takes 500 requests/s and 60 MiB/s, in both directions together.
 * Source: learn.microsoft.com, "Scalability and performance targets for Blob storage".
 */
export const PAGE_BLOB_COST: CostModel = { requestMs: 1_000 / 500, bytesPerMs: (60 * MiB) / 1_000 };

/** So many bytes take as long as one more request: about 120 KiB on a page blob. */
export function breakEvenBytes({ requestMs, bytesPerMs }: CostModel): number {
  return requestMs * bytesPerMs;
}

/** Milliseconds of the blob's time. */
export function costMs({ requestMs, bytesPerMs }: CostModel, requests: number, bytes: number): number {
  return requests * requestMs + bytes / bytesPerMs;
}
