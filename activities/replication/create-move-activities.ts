/** Bytes leaving a site. Polled from `move.<site>`, the final delta of a failover from `urgent.site.<site>`. */
import { fencingEpoch, type ReplicationTotals } from '../../domain/replication.ts';
import type { ItemSpec } from '../../domain/machine.ts';
import type {
  ReplicationHeartbeat,
  SessionOutcome,
  ShipSessionInput,
} from '../../workflows/contracts/types.ts';
import { supervised } from '../supervise.ts';
import { afterAsking, appConsistencyOf, isDue } from './app-consistency.ts';
import { runInitialCopy } from './initial-copy.ts';
import { runDelta, runFinalDelta } from './delta.ts';
import type { MovePorts } from './read-cycle.ts';
import { runSessionAttempt } from './session-loop.ts';
import { NO_MEMORY, tracker } from './tracker.ts';

export type MoveActivities = ReturnType<typeof createMoveActivities>;

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
          cycle: async (memory) => {
            const startedAt = Date.now();
            const { item } = input;
            const epoch = fencingEpoch(input.sessionEpoch, supervision.attempt);
            const known = await appConsistencyOf(
              ports.storage,
              item,
              memory.appConsistency ?? input.appConsistency,
            );
            const quiesce = isDue(known, startedAt);
            const barrier = await runDelta(ports, { item, epoch, quiesce }, track.hooks);
            track.add(barrier);
            const appConsistency = quiesce ? afterAsking(item, barrier) : known;
            const hasTurned = appConsistency?.warning?.type !== known?.warning?.type;
            return {
              memory: {
                failures: 0,
                totals: track.totals(),
                ...(appConsistency === undefined ? {} : { appConsistency }),
              },
              ...(hasTurned && appConsistency !== undefined
                ? { notice: { outcome: 'noticed', appConsistency } }
                : {}),
              nextDelayMs: Math.max(0, item.policy.intervalSeconds * 1_000 - (Date.now() - startedAt)),
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
