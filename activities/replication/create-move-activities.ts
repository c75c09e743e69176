/** Bytes leaving a site. Polled from `move.<site>`, the final delta of a failover from `urgent.site.<site>`. */
import { fencingEpoch, type Barrier, type ReplicationTotals } from '../../domain/replication.ts';
import type { ItemSpec } from '../../domain/machine.ts';
import type {
  ReplicationHeartbeat,
  SessionOutcome,
  ShipSessionInput,
} from '../../workflows/contracts/types.ts';
import { supervised, type Supervision } from '../supervise.ts';
import { runInitialCopy } from './initial-copy.ts';
import { runDelta, runFinalDelta } from './delta.ts';
import type { CycleHooks } from './frozen-state.ts';
import type { MovePorts } from './read-cycle.ts';
import { runSessionAttempt } from './session-loop.ts';

export type MoveActivities = ReturnType<typeof createMoveActivities>;

const NO_TOTALS: ReplicationTotals = { cycles: 0, readBytes: 0, rawBytes: 0, wireBytes: 0 };
const NO_MEMORY: ReplicationHeartbeat = { failures: 0, totals: NO_TOTALS };

export function createMoveActivities(ports: MovePorts) {
  return {
    /** Copies everything once; resumes where a killed attempt stopped. */
    async initialReplication(input: { item: ItemSpec; sessionEpoch: number }): Promise<{
      barrierNumber: number;
      totals: ReplicationTotals;
    }> {
      return supervised<ReplicationHeartbeat, { barrierNumber: number; totals: ReplicationTotals }>(
        async (supervision) => {
          const track = tracker(supervision);
          const epoch = fencingEpoch(input.sessionEpoch, supervision.attempt);
          const barrier = await runInitialCopy(ports, { item: input.item, epoch }, track.hooks, track.add);
          return { barrierNumber: barrier.number, totals: track.totals() };
        },
      );
    },

    /** The delta loop: one cycle an attempt, see session-loop.ts. */
    async shipSession(input: ShipSessionInput): Promise<SessionOutcome> {
      return supervised<ReplicationHeartbeat, SessionOutcome>(async (supervision) => {
        const track = tracker(supervision);
        return runSessionAttempt({
          endsAt: input.endsAt,
          reportRecovery: input.reportRecovery,
          supervision,
          start: NO_MEMORY,
          cycle: async () => {
            const startedAt = Date.now();
            const epoch = fencingEpoch(input.sessionEpoch, supervision.attempt);
            track.add(await runDelta(ports, { item: input.item, epoch }, track.hooks));
            const elapsedMs = Date.now() - startedAt;
            return {
              memory: { failures: 0, totals: track.totals() },
              nextDelayMs: Math.max(0, input.item.policy.intervalSeconds * 1_000 - elapsedMs),
            };
          },
        });
      });
    },

    /** The last delta before a failover; the source should be off. Returns the durable barrier. */
    async shipFinal(input: { item: ItemSpec; sessionEpoch: number }): Promise<{
      barrierNumber: number;
      sourceTime: string;
    }> {
      return supervised<ReplicationHeartbeat, { barrierNumber: number; sourceTime: string }>(
        async (supervision) => {
          const track = tracker(supervision);
          const epoch = fencingEpoch(input.sessionEpoch, supervision.attempt);
          const barrier = await runFinalDelta(ports, { item: input.item, epoch }, track.hooks);
          return { barrierNumber: barrier.number, sourceTime: barrier.sourceTime };
        },
      );
    },
  };
}

function tracker(supervision: Supervision<ReplicationHeartbeat>) {
  const before = supervision.previous ?? NO_MEMORY;
  let totals = before.totals;
  const hooks: CycleHooks = {
    signal: supervision.signal,
    beat: supervision.flush,
    onProgress: (progress) => supervision.report({ failures: before.failures, totals, progress }),
  };
  return {
    hooks,
    totals: () => totals,
    add: (barrier: Barrier) => {
      totals = addTotals(totals, barrier);
      supervision.report({ failures: before.failures, totals });
    },
  };
}

function addTotals(totals: ReplicationTotals, barrier: Barrier): ReplicationTotals {
  const segments = barrier.disks.flatMap((disk) => disk.segments);
  return {
    cycles: totals.cycles + 1,
    readBytes: totals.readBytes + barrier.disks.reduce((sum, disk) => sum + disk.readBytes, 0),
    rawBytes: totals.rawBytes + segments.reduce((sum, segment) => sum + segment.rawBytes, 0),
    wireBytes: totals.wireBytes + segments.reduce((sum, segment) => sum + segment.wireBytes, 0),
  };
}
