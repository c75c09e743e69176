/** The site's side of a comparison: what differs from the replica leaves as one delta. Polled from `move.<site>`. */
import { fencingEpoch } from '../../domain/replication.ts';
import type { CompareMoveActivities, ReverseShipped } from '../../workflows/contracts/home.ts';
import type { ReplicationHeartbeat } from '../../workflows/contracts/types.ts';
import { supervised } from '../supervise.ts';
import { runDifferences } from './differences.ts';
import type { MovePorts } from './read-cycle.ts';
import { shipped } from './shipped.ts';
import { tracker } from './tracker.ts';

export function createCompareMoveActivities(ports: MovePorts): CompareMoveActivities {
  return {
    shipDifferences: ({ item, sessionEpoch, hashes }) =>
      supervised<ReplicationHeartbeat, ReverseShipped>(async (supervision) => {
        const track = tracker(supervision);
        const epoch = fencingEpoch(sessionEpoch, supervision.attempt);
        const request = { item, epoch, hashEpoch: hashes.epoch };
        return shipped(ports.storage, await runDifferences(ports, request, track.hooks));
      }),
  };
}
