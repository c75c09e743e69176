/** Bytes coming home: written into VMware disks by the master target. Polled from `land.<site>`. */
import { hostname } from 'node:os';
import { fencingEpoch } from '../../domain/replication.ts';
import type { VaultStorage } from '../../domain/ports.ts';
import type { DiskDigest, HomeWay, LandActivities } from '../../workflows/contracts/home.ts';
import type { ApplyHeartbeat, SessionOutcome } from '../../workflows/contracts/types.ts';
import { mapBounded } from '../../dataplane/budget.ts';
import { hashDisk } from '../../dataplane/compare/hash-disk.ts';
import { latestBarrier, readBarrier } from '../../dataplane/journal/barriers.ts';
import { openItemKey } from '../../dataplane/keys.ts';
import { landPending, readLanded, type LandResult } from '../../dataplane/land/land-pending.ts';
import { pruneLandedJournal } from '../../dataplane/land/prune-landed.ts';
import { purgeItem } from '../../dataplane/purge.ts';
import { lastPoint } from '../replication/windows.ts';
import { runSessionAttempt } from '../replication/session-loop.ts';
import { supervised, type Supervision } from '../supervise.ts';
import { describeHome } from './describe-home.ts';
import { DISK_SLOTS, DiskSlots } from './disk-slots.ts';
import { withHomeDisks, type LandPorts } from './home-disks.ts';

/** Barriers landed before the attempt reports; keeps cancellation quick. */
const BARRIERS_AT_ONCE = 8;
/** One disk's hash is made by one thread. */
const HASHED_AT_ONCE = 4;
/** The journal is looked at every fifth of the interval, within these bounds. */
const LOOK_EVERY_MS = { min: 500, max: 15_000 } as const;
const NOTHING_LANDED: ApplyHeartbeat = { failures: 0, appliedBarrier: 0, pendingBytes: 0 };

export function createLandActivities(ports: LandPorts): LandActivities {
  const { storage } = ports;
  const slots = new DiskSlots();

  const land = (
    way: HomeWay,
    sessionEpoch: number,
    supervision: Supervision<ApplyHeartbeat>,
    upTo: { readonly upToBarrier?: number } = {},
  ): Promise<LandResult> =>
    slots.during(way.disks.length, supervision.signal, () =>
      withHomeDisks(ports, way, hooksOf(supervision), async (disks) =>
        landPending({
          stream: way.stream,
          disks: disks.map(({ disk: { diskId, capacityBytes }, open: sink }) => ({
            diskId,
            capacityBytes,
            sink,
          })),
          epoch: fencingEpoch(sessionEpoch, supervision.attempt),
          key: await openItemKey(storage, ports.vaultKey, way.stream),
          storage,
          cacheFolder: ports.cacheFolder,
          signal: supervision.signal,
          barriersMax: BARRIERS_AT_ONCE,
          ...upTo,
          onProgress: ({ appliedBarrier, pendingBytes, lag }) => {
            const before = supervision.latest() ?? NOTHING_LANDED;
            supervision.report({ ...before, appliedBarrier, pendingBytes, applyLag: lag });
          },
        }),
      ).then(async (done) => {
        await prune(storage, way, done.landedBarrier);
        return done;
      }),
    );

  const landAll = async (
    way: HomeWay,
    sessionEpoch: number,
    supervision: Supervision<ApplyHeartbeat>,
    upToBarrier = Infinity,
  ): Promise<LandResult> => {
    for (;;) {
      const done = await land(way, sessionEpoch, supervision, { upToBarrier });
      supervision.report(heartbeatOf(done));
      if (done.landedBarrier >= upToBarrier || !done.moreWaiting) return done;
    }
  };

  return {
    answerLand: async () => ({ host: hostname(), slots: DISK_SLOTS, used: slots.used }),

    /** For a resync the disks are landed first: hashes are compared with what comes behind the newest barrier. */
    describeHomeDisks: ({ way, epoch, compareOnly = false }) =>
      supervised<ApplyHeartbeat, Awaited<ReturnType<LandActivities['describeHomeDisks']>>>(
        async (supervision) => {
          if (compareOnly) await landAll(way, epoch, supervision);
          return slots.during(way.disks.length, supervision.signal, () =>
            describeHome(ports, way, { epoch, compareOnly }, hooksOf(supervision)),
          );
        },
      ),

    landSession: ({ way, sessionEpoch, endsAt, reportRecovery }) =>
      supervised<ApplyHeartbeat, SessionOutcome>(async (supervision) =>
        runSessionAttempt({
          endsAt,
          reportRecovery,
          supervision,
          start: NOTHING_LANDED,
          cycle: async (memory) => {
            const newest = await latestBarrier(storage, way.stream);
            if (newest === null || newest.number <= memory.appliedBarrier) {
              return { memory, nextDelayMs: lookDelay(way) };
            }
            const done = await land(way, sessionEpoch, supervision);
            return { memory: heartbeatOf(done), nextDelayMs: done.moreWaiting ? 0 : lookDelay(way) };
          },
        }),
      ),

    landUntil: ({ way, sessionEpoch, barrierNumber }) =>
      supervised<ApplyHeartbeat, { barrierNumber: number; sourceTime: string }>(async (supervision) => {
        const done = await landAll(way, sessionEpoch, supervision, barrierNumber);
        return { barrierNumber: done.landedBarrier, sourceTime: done.sourceTime ?? '' };
      }),

    newestLanded: ({ way }) =>
      supervised(async ({ signal }) => {
        const landed = await readLanded(storage, way.stream, signal);
        if (landed === null) return null;
        const { barrier: barrierNumber, sourceTime, torn } = landed;
        return { barrierNumber, sourceTime, torn };
      }),

    hashHomeDisks: ({ way }) =>
      supervised((supervision) =>
        slots.during(way.disks.length, supervision.signal, () =>
          withHomeDisks(ports, way, hooksOf(supervision), (disks) =>
            mapBounded(disks, HASHED_AT_ONCE, async ({ disk, open }): Promise<DiskDigest> => {
              const { index, label, capacityBytes: bytes } = disk;
              const sha256 = await hashDisk(open, bytes, supervision.signal, supervision.flush);
              return { index, label, bytes, sha256 };
            }),
          ),
        ),
      ),

    purgeReverseStream: ({ way }) =>
      supervised(({ signal }) => {
        const diskIds = way.disks.map(({ diskId }) => diskId);
        return purgeItem(storage, way.stream, diskIds, signal);
      }),
  };
}

/** A delta that was interrupted starts over from its last point: that stays, until a newer one is landed. */
async function prune(
  storage: VaultStorage,
  { stream, disks }: HomeWay,
  landedBarrier: number,
): Promise<void> {
  const point = await lastPoint(storage, await readBarrier(storage, stream, landedBarrier));
  if (point !== null && point.number !== landedBarrier) return;
  const diskIds = disks.map(({ diskId }) => diskId);
  await pruneLandedJournal(storage, stream, diskIds);
}

function hooksOf({ signal, flush }: Pick<Supervision<unknown>, 'signal' | 'flush'>) {
  return { signal, beat: flush };
}

function heartbeatOf({ landedBarrier, sourceTime }: LandResult): ApplyHeartbeat {
  return {
    failures: 0,
    appliedBarrier: landedBarrier,
    pendingBytes: 0,
    ...(sourceTime === null ? {} : { newestPointTime: sourceTime }),
  };
}

function lookDelay({ policy }: HomeWay): number {
  const fifth = (policy.intervalSeconds * 1_000) / 5;
  return Math.min(LOOK_EVERY_MS.max, Math.max(LOOK_EVERY_MS.min, fifth));
}
