/** What activities that move bytes report while they do: progress of the pass under way, and what finished ones add up to. */
import type { Barrier, ReplicationTotals } from '../../domain/replication.ts';
import type { ReplicationHeartbeat } from '../../workflows/contracts/types.ts';
import type { Supervision } from '../supervise.ts';
import { sumOf, type CycleHooks } from './frozen-state.ts';

const NO_TOTALS: ReplicationTotals = { cycles: 0, readBytes: 0, rawBytes: 0, wireBytes: 0 };
export const NO_MEMORY: ReplicationHeartbeat = { failures: 0, totals: NO_TOTALS };

export interface Tracker {
  readonly hooks: CycleHooks;
  readonly totals: () => ReplicationTotals;
  /** Counts a finished barrier. */
  readonly add: (barrier: Barrier) => void;
}

/** Goes on from what the attempt before had reported. */
export function tracker(supervision: Supervision<ReplicationHeartbeat>): Tracker {
  const before = supervision.previous ?? NO_MEMORY;
  const { failures, appConsistency } = before;
  const kept = { failures, ...(appConsistency === undefined ? {} : { appConsistency }) };
  let totals = before.totals;
  const hooks: CycleHooks = {
    signal: supervision.signal,
    beat: supervision.flush,
    onProgress: (progress) => supervision.report({ ...kept, totals, progress }),
  };
  return {
    hooks,
    totals: () => totals,
    add: (barrier: Barrier) => {
      totals = addTotals(totals, barrier);
      supervision.report({ ...kept, totals });
    },
  };
}

export function addTotals(totals: ReplicationTotals, barrier: Barrier): ReplicationTotals {
  const segments = barrier.disks.flatMap((disk) => disk.segments);
  return {
    cycles: totals.cycles + 1,
    readBytes: totals.readBytes + sumOf(barrier.disks.map((disk) => disk.readBytes)),
    rawBytes: totals.rawBytes + sumOf(segments.map((segment) => segment.rawBytes)),
    wireBytes: totals.wireBytes + sumOf(segments.map((segment) => segment.wireBytes)),
  };
}
