/** Bytes leaving a region on the way home. Polled from `reverse.<region>` by the process server that runs there for that time. */
import { hostname } from 'node:os';
import { DrError } from '../../domain/errors.ts';
import { blobNames } from '../../domain/names.ts';
import { fencingEpoch } from '../../domain/replication.ts';
import type { DiskDigest, ReverseActivities, ReverseShipped } from '../../workflows/contracts/home.ts';
import type { ReplicationHeartbeat, SessionOutcome } from '../../workflows/contracts/types.ts';
import { mapBounded } from '../../dataplane/budget.ts';
import { hashDisk } from '../../dataplane/compare/hash-disk.ts';
import { readBarrier } from '../../dataplane/journal/barriers.ts';
import { runSessionAttempt } from '../replication/session-loop.ts';
import { shipped } from '../replication/shipped.ts';
import { NO_MEMORY, tracker } from '../replication/tracker.ts';
import { supervised } from '../supervise.ts';
import { snapshotsOf } from './azure-snapshots.ts';
import { runFirstCopy, runReverseDelta, runReverseFinal, type ReversePorts } from './reverse-copy.ts';
import { withOpenSet } from './reverse-state.ts';

/** Hashed together: one disk's hash is made by one thread. */
const DISKS_AT_ONCE = 4;

export function createReverseActivities(ports: ReversePorts): ReverseActivities {
  const { storage, cloud } = ports;
  return {
    /** A blob that need not exist: what counts is that the account answers. */
    answerReverse: () =>
      supervised(async ({ signal }) => {
        await storage.get(blobNames.vcenter('answer'), signal);
        return { host: hostname() };
      }),

    reverseFirstCopy: ({ way, sessionEpoch, copy, again = false }) =>
      supervised<ReplicationHeartbeat, ReverseShipped>(async (supervision) => {
        const track = tracker(supervision);
        const epoch = fencingEpoch(sessionEpoch, supervision.attempt);
        const point = await runFirstCopy(ports, { way, epoch, copy, again }, track.hooks, track.add);
        return shipped(storage, point, track.totals());
      }),

    shipReverseSession: ({ way, sessionEpoch, endsAt, reportRecovery }) =>
      supervised<ReplicationHeartbeat, SessionOutcome>(async (supervision) => {
        const track = tracker(supervision);
        return runSessionAttempt({
          endsAt,
          reportRecovery,
          supervision,
          start: NO_MEMORY,
          cycle: async () => {
            const startedAt = Date.now();
            const epoch = fencingEpoch(sessionEpoch, supervision.attempt);
            track.add(await runReverseDelta(ports, { way, epoch }, track.hooks));
            const elapsedMs = Date.now() - startedAt;
            return {
              memory: { failures: 0, totals: track.totals() },
              nextDelayMs: Math.max(0, way.policy.intervalSeconds * 1_000 - elapsedMs),
            };
          },
        });
      }),

    shipReverseFinal: ({ way, sessionEpoch }) =>
      supervised<ReplicationHeartbeat, ReverseShipped>(async (supervision) => {
        const track = tracker(supervision);
        const epoch = fencingEpoch(sessionEpoch, supervision.attempt);
        return shipped(storage, await runReverseFinal(ports, { way, epoch }, track.hooks));
      }),

    azureWroteSince: ({ way, sessionEpoch, barrierNumber }) =>
      supervised<ReplicationHeartbeat, { wrote: boolean; barrierNumber: number }>(async (supervision) => {
        const track = tracker(supervision);
        const epoch = fencingEpoch(sessionEpoch, supervision.attempt);
        const newest = await runReverseFinal(ports, { way, epoch }, track.hooks);
        for (let number = barrierNumber + 1; number <= newest.number; number += 1) {
          const barrier = await readBarrier(storage, way.stream, number, supervision.signal);
          // A barrier that is gone already was landed: then what it held is at home behind the hashes that were compared.
          const wrote = barrier === null || barrier.disks.some((disk) => disk.segments.length > 0);
          if (wrote) return { wrote, barrierNumber: newest.number };
        }
        return { wrote: false, barrierNumber: newest.number };
      }),

    hashAzureDisks: ({ way, barrierNumber }) =>
      supervised(async ({ signal, flush }) => {
        const barrier = await readBarrier(storage, way.stream, barrierNumber, signal);
        const set = barrier === null ? null : await snapshotsOf(cloud, way, barrier);
        if (set === null) {
          const reason = `the Azure snapshots of barrier ${barrierNumber} do not exist any more`;
          throw new DrError('DR_JOURNAL_GAP', { item: way.stream, reason });
        }
        return withOpenSet(cloud, way, { set }, { signal }, async (_, disks) => {
          return mapBounded(disks, DISKS_AT_ONCE, async ({ disk, source }): Promise<DiskDigest> => {
            const { index, label, capacityBytes: bytes } = disk;
            return { index, label, bytes, sha256: await hashDisk(source, bytes, signal, flush) };
          });
        });
      }),
  };
}
