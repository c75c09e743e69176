/** The site's side of a comparison: what differs from the replica leaves as one delta. Polled from `move.<site>`. */
import { fencingEpoch } from '../../domain/replication.ts';
import type { CompareMoveActivities, ReverseShipped } from '../../workflows/contracts/home.ts';
import type { ReplicationHeartbeat } from '../../workflows/contracts/types.ts';
import type { PointCompared, VerifyMoveActivities } from '../../workflows/contracts/verify.ts';
import { supervised } from '../supervise.ts';
import { runDifferences } from './differences.ts';
import type { MovePorts } from './read-cycle.ts';
import { shipped } from './shipped.ts';
import { tracker } from './tracker.ts';
import { runComparePoint } from './verify.ts';

export function createCompareMoveActivities(ports: MovePorts): CompareMoveActivities & VerifyMoveActivities {
  return {
    shipDifferences: ({ item, sessionEpoch, hashes }) =>
      supervised<ReplicationHeartbeat, ReverseShipped>(async (supervision) => {
        const track = tracker(supervision);
        const epoch = fencingEpoch(sessionEpoch, supervision.attempt);
        const request = { item, epoch, hashEpoch: hashes.epoch };
        return shipped(ports.storage, await runDifferences(ports, request, track.hooks));
      }),

    comparePoint: (request) =>
      supervised<ReplicationHeartbeat, PointCompared>(async (supervision) =>
        runComparePoint(ports, request, tracker(supervision).hooks),
      ),
  };
}
