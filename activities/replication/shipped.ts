/** What a shipment came to, told from the barriers that are still there. */
import type { VaultStorage } from '../../domain/ports.ts';
import type { Barrier, ReplicationTotals } from '../../domain/replication.ts';
import type { ReverseShipped } from '../../workflows/contracts/home.ts';
import { readBarrier } from '../../dataplane/journal/barriers.ts';
import { addTotals, NO_MEMORY } from './tracker.ts';

/**
 * Bytes of the pass that ended with `point`: of its progress barriers too, those of interrupted attempts among them.
 * `known` is what this activity counted itself, for barriers that were landed and removed meanwhile.
 */
export async function shipped(
  storage: VaultStorage,
  point: Barrier,
  known: ReplicationTotals = NO_MEMORY.totals,
): Promise<ReverseShipped> {
  let totals = addTotals(NO_MEMORY.totals, point);
  for (let number = point.number - 1; number > 0; number -= 1) {
    const barrier = await readBarrier(storage, point.itemId, number);
    if (barrier?.kind !== 'progress') break;
    totals = addTotals(totals, barrier);
  }
  return {
    barrierNumber: point.number,
    sourceTime: point.sourceTime,
    readBytes: Math.max(totals.readBytes, known.readBytes),
    rawBytes: Math.max(totals.rawBytes, known.rawBytes),
    wireBytes: Math.max(totals.wireBytes, known.wireBytes),
  };
}
