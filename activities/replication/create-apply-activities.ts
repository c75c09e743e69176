/** Segments applied to replicas, recovery points made and pruned. Polled from `apply.<region>` and `urgent.azure.<region>`. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Condition } from '../../domain/health.ts';
import type { RecoveryPointId } from '../../domain/ids.ts';
import { blobNames } from '../../domain/names.ts';
import { fencingEpoch, type RecoveryPoint, type RecoveryPointChoice } from '../../domain/replication.ts';
import type { ItemSpec } from '../../domain/machine.ts';
import type { VaultKey, VaultStorage } from '../../domain/ports.ts';
import { reverseDisk, reverseStream } from '../../domain/streams.ts';
import { applyPending } from '../../dataplane/apply/apply-pending.ts';
import { latestBarrier } from '../../dataplane/journal/barriers.ts';
import { ensureItemKey, openItemKey } from '../../dataplane/keys.ts';
import { deleteOtherPoints, listPoints, pruneJournal, prunePoints } from '../../dataplane/points.ts';
import { purgeItem } from '../../dataplane/purge.ts';
import { sweepScrub } from '../../dataplane/scrub/sweep.ts';
import type {
  ApplyHeartbeat,
  ApplySessionInput,
  RpoSeen,
  RpoWatchInput,
  SessionOutcome,
} from '../../workflows/contracts/types.ts';
import { supervised, type Supervision } from '../supervise.ts';
import { choosePoint } from './choose-point.ts';
import { lookAtRpo, lookDelayMs } from './rpo-look.ts';
import { differenceCondition, scrubPoints } from './scrub.ts';
import { nextCycle, runSessionAttempt } from './session-loop.ts';

export interface ApplyPorts {
  readonly storage: VaultStorage;
  readonly vaultKey: VaultKey;
}

export type ApplyActivities = ReturnType<typeof createApplyActivities>;

/** Barriers applied before the attempt reports; keeps cancellation quick. */
const BARRIERS_AT_ONCE = 8;
/** The journal is looked at every fifth of the interval, within these bounds. */
const LOOK_EVERY_MS = { min: 500, max: 15_000 } as const;
const POINT_LOOK_MS = 500;
const LATEST = { kind: 'latest' } as const;

export function createApplyActivities(ports: ApplyPorts) {
  const { storage } = ports;
  return {
    /** Data key and item record: what a failover needs when the catalogue is lost. */
    async prepareItem(input: { item: ItemSpec }): Promise<void> {
      await supervised(async () => {
        await ensureItemKey(storage, ports.vaultKey, input.item.itemId);
        const record = new TextEncoder().encode(JSON.stringify(input.item));
        await storage.put(blobNames.item(input.item.itemId), record);
      });
    },

    /** Applies barriers as they come, one look an attempt, see session-loop.ts. */
    async applySession(input: ApplySessionInput): Promise<SessionOutcome> {
      return supervised<ApplyHeartbeat, SessionOutcome>(async (supervision) => {
        const epoch = fencingEpoch(input.sessionEpoch, supervision.attempt);
        return runSessionAttempt({
          endsAt: input.endsAt,
          reportRecovery: input.reportRecovery,
          supervision,
          start: { failures: 0, appliedBarrier: 0, pendingBytes: 0 },
          cycle: async (memory) => {
            // The newest, not the next: applied barriers are pruned, and a killed attempt may remember too little.
            const newest = await latestBarrier(storage, input.item.itemId);
            if (newest === null || newest.number <= memory.appliedBarrier) {
              return { memory, nextDelayMs: lookDelay(input.item) };
            }
            const done = await applySome(ports, input, epoch, supervision, memory);
            const nextDelayMs = done.moreWaiting ? 0 : lookDelay(input.item);
            const { condition } = done;
            if (condition === undefined) return { memory: done.memory, nextDelayMs };
            return { memory: done.memory, nextDelayMs, notice: { outcome: 'differs', condition } };
          },
        });
      });
    },

    /** Applies everything up to a barrier and returns its recovery point; replication of the item must have stopped. */
    async drain(input: {
      item: ItemSpec;
      sessionEpoch: number;
      barrierNumber: number | null;
    }): Promise<RecoveryPoint> {
      return supervised<ApplyHeartbeat, RecoveryPoint>(async (supervision) => {
        const epoch = fencingEpoch(input.sessionEpoch, supervision.attempt);
        await applyAll(ports, input.item, epoch, supervision, input.barrierNumber);
        return choosePoint(await listPoints(storage, input.item.itemId), input.item, LATEST);
      });
    },

    /** Chooses the recovery point of a drill; for `latest` waits until the newest durable barrier is applied. */
    async resolvePoint(input: { item: ItemSpec; choice: RecoveryPointChoice }): Promise<RecoveryPoint> {
      return supervised<unknown, RecoveryPoint>(async ({ signal }) => {
        if (input.choice.kind !== 'latest') {
          return choosePoint(await listPoints(storage, input.item.itemId), input.item, input.choice);
        }
        const durable = (await latestBarrier(storage, input.item.itemId))?.number ?? 0;
        for (;;) {
          const points = await listPoints(storage, input.item.itemId);
          const found = points.find((point) => point.barrierNumber >= durable);
          if (found !== undefined) return choosePoint(points, input.item, LATEST);
          await delay(POINT_LOOK_MS, undefined, { signal });
        }
      });
    },

    /**
     * Watches the RPO: answers as soon as what is seen is not `last`. One look an attempt, see session-loop.ts: a
     * watch of days is a few history events.
     */
    async watchRpo(input: RpoWatchInput): Promise<RpoSeen> {
      return supervised(async ({ attempt }) => {
        if (Date.now() >= Date.parse(input.endsAt)) return { outcome: 'sessionEnded', sourceTime: null };
        // The first look comes after a while: sessions that have just begun need it.
        const seen = attempt === 1 ? null : await lookAtRpo(storage, input, Date.now());
        if (seen === null || seen.outcome === input.last) throw nextCycle(lookDelayMs(input));
        return seen;
      });
    },

    /** Ends protection: nothing of the item stays in the storage account, nor of the streams of its ways home. */
    async purgeItem(input: { item: ItemSpec; generations?: number }): Promise<{ deletedBlobs: number }> {
      const { itemId, disks } = input.item;
      return supervised(async ({ signal }) => {
        let deletedBlobs = 0;
        for (let generation = 1; generation <= (input.generations ?? 0); generation += 1) {
          const stream = reverseStream(itemId, generation);
          const reverse = disks.map((disk) => reverseDisk(disk.diskId, generation));
          deletedBlobs += (await purgeItem(storage, stream, reverse, signal)).deletedBlobs;
        }
        const forward = disks.map((disk) => disk.diskId);
        return {
          deletedBlobs: deletedBlobs + (await purgeItem(storage, itemId, forward, signal)).deletedBlobs,
        };
      });
    },

    /** Commit: the point the machine runs on stays, the others go. */
    async deleteOtherPoints(input: { item: ItemSpec; keep: RecoveryPointId }): Promise<{ deleted: number }> {
      const { item, keep } = input;
      return supervised(async ({ signal }) => {
        const { deleted } = await deleteOtherPoints(storage, item.itemId, keep, Date.now(), signal);
        await sweepScrub(storage, item.itemId, Infinity, signal);
        return { deleted: deleted.length };
      });
    },
  };
}

/** Applies everything up to a barrier; null: to the newest. */
export async function applyAll(
  ports: ApplyPorts,
  item: ItemSpec,
  epoch: number,
  supervision: Supervision<ApplyHeartbeat>,
  barrierNumber: number | null,
): Promise<void> {
  const upTo = barrierNumber ?? (await latestBarrier(ports.storage, item.itemId))?.number ?? 0;
  let memory: ApplyHeartbeat = { failures: 0, appliedBarrier: 0, pendingBytes: 0 };
  for (let more = true; more;) {
    const done = await applyBarriers(ports, item, epoch, supervision, memory, upTo);
    if (done.newestPoint !== undefined) await prune(ports, item, done.newestPoint);
    memory = done.memory;
    more = done.moreWaiting && memory.appliedBarrier < upTo;
  }
}

/** A turn of a session: what was applied is scrubbed before retention looks at it. */
async function applySome(
  ports: ApplyPorts,
  { item, differenceKnown }: Pick<ApplySessionInput, 'item' | 'differenceKnown'>,
  epoch: number,
  supervision: Supervision<ApplyHeartbeat>,
  before: ApplyHeartbeat,
): Promise<{
  readonly memory: ApplyHeartbeat;
  readonly moreWaiting: boolean;
  readonly condition: Omit<Condition, 'since'> | undefined;
}> {
  const { memory, moreWaiting, newestPoint } = await applyBarriers(ports, item, epoch, supervision, before);
  const isFirstTurn = before.appliedBarrier === 0;
  if (moreWaiting || (newestPoint === undefined && !isFirstTurn)) {
    if (newestPoint !== undefined) await prune(ports, item, newestPoint);
    return { memory, moreWaiting, condition: undefined };
  }
  const applied = { appliedBarrier: memory.appliedBarrier, isKnown: differenceKnown === true };
  const scrubbed = await scrubPoints(ports, item, applied, supervision.signal);
  if (newestPoint !== undefined) await prune(ports, item, newestPoint);
  return {
    memory: scrubbed === undefined ? memory : { ...memory, scrub: scrubbed.totals },
    moreWaiting,
    condition: differenceCondition(item, scrubbed?.findings ?? []),
  };
}

async function applyBarriers(
  ports: ApplyPorts,
  item: ItemSpec,
  epoch: number,
  supervision: Supervision<ApplyHeartbeat>,
  before: ApplyHeartbeat,
  upToBarrier?: number,
): Promise<{
  readonly memory: ApplyHeartbeat;
  readonly moreWaiting: boolean;
  readonly newestPoint: RecoveryPoint | undefined;
}> {
  const { storage } = ports;
  const key = await openItemKey(storage, ports.vaultKey, item.itemId);
  const done = await applyPending({
    item: item.itemId,
    disks: item.disks,
    epoch,
    key,
    storage,
    signal: supervision.signal,
    barriersMax: BARRIERS_AT_ONCE,
    ...(upToBarrier === undefined ? {} : { upToBarrier }),
    onProgress: (progress) =>
      supervision.report({
        ...before,
        appliedBarrier: progress.appliedBarrier,
        pendingBytes: progress.pendingBytes,
        applyLag: progress.lag,
      }),
  });
  const newestPoint = done.points.at(-1);
  const newestPointTime = newestPoint?.sourceTime ?? before.newestPointTime;
  const { scrub } = before;
  return {
    memory: {
      failures: 0,
      appliedBarrier: done.appliedBarrier,
      pendingBytes: 0,
      applyLag: done.lag,
      ...(newestPointTime === undefined ? {} : { newestPointTime }),
      ...(scrub === undefined ? {} : { scrub }),
    },
    moreWaiting: done.moreWaiting,
    newestPoint,
  };
}

async function prune(ports: ApplyPorts, item: ItemSpec, newestPoint: RecoveryPoint): Promise<void> {
  await prunePoints(ports.storage, item.itemId, item.policy, Date.now());
  const diskIds = item.disks.map((disk) => disk.diskId);
  await pruneJournal(ports.storage, item.itemId, diskIds, newestPoint.barrierNumber);
}

function lookDelay(item: ItemSpec): number {
  const fifth = (item.policy.intervalSeconds * 1_000) / 5;
  return Math.min(LOOK_EVERY_MS.max, Math.max(LOOK_EVERY_MS.min, fifth));
}
