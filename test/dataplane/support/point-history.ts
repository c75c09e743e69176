/** Histories of shipping, applying, pinning and deleting, on a real storage account, with attempts that die or freeze. */
import { fail } from 'node:assert/strict';
import fc from 'fast-check';
import { pinPoint, unpinPoint, unpinRun } from '../../../dataplane/pins.ts';
import { deleteOtherPoints, listPoints, pruneJournal, prunePoints } from '../../../dataplane/points.ts';
import { latestBarrier } from '../../../dataplane/journal/barriers.ts';
import { asId } from '../../../domain/ids.ts';
import type { RecoveryPointId, RunId } from '../../../domain/ids.ts';
import { blobNames } from '../../../domain/names.ts';
import type { RecoveryPoint } from '../../../domain/replication.ts';
import { KiB } from '../../../domain/units.ts';
import type { Cut } from './attempts.ts';
import { Attempt, Crash } from './attempts.ts';
import type { Random } from './random.ts';
import type { Machine, Rig } from './rig.ts';
import { apply, hashesNow, hashesOf, scribble, ship, wholeDisks } from './rig.ts';

const cut: fc.Arbitrary<Cut | null> = fc.option(
  fc.record({
    mode: fc.constantFrom('before' as const, 'after' as const, 'freeze' as const),
    at: fc.oneof(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 32 })),
  }),
  { freq: 2 },
);

const kinds = ['ship', 'apply', 'prune', 'commit', 'pruneJournal', 'pin', 'unpin', 'wake'] as const;

export interface Step {
  readonly kind: (typeof kinds)[number];
  readonly cut: Cut | null;
  /** Which point or frozen attempt, or how: counted round. */
  readonly which: number;
}

const step: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom('ship', 'apply', 'ship', 'apply', 'prune', ...kinds),
  cut,
  which: fc.nat(7),
});

const quick = (kind: Step['kind'], which = 0): Step => ({ kind, cut: null, which });

/** Who deletes a point sleeps over the next point, and over somebody who has pinned the one that goes and sleeps too. */
export function sleepyPrune(at: Cut['at'], pinAt: Cut['at'] = 2): Step[] {
  return [
    quick('ship'),
    quick('apply'),
    { kind: 'prune', which: 0, cut: { mode: 'freeze', at } },
    quick('ship'),
    quick('apply'),
    { kind: 'pin', which: 2, cut: { mode: 'freeze', at: pinAt } },
    quick('wake'),
    quick('wake'),
    quick('unpin'),
  ];
}

/** Who makes a point sleeps until others have made it, and deleted it. */
export function sleepyApply(at: Cut['at']): Step[] {
  return [
    quick('ship'),
    { kind: 'apply', which: 0, cut: { mode: 'freeze', at } },
    quick('apply'),
    quick('ship'),
    quick('apply'),
    quick('prune'),
    quick('wake'),
  ];
}

const upTo = (requests: number) => fc.integer({ min: 1, max: requests });

/** Ships and applies come most often, because without them there is nothing to lose. */
export const steps: fc.Arbitrary<Step[]> = fc
  .array(
    fc.oneof(
      { arbitrary: step.map((one) => [one]), weight: 8 },
      upTo(12).map(sleepyPrune),
      upTo(32).map(sleepyApply),
    ),
    { minLength: 6, maxLength: 14 },
  )
  .map((parts) => parts.flat());

type Work = (attempt: Attempt) => Promise<unknown>;

interface Frozen {
  readonly attempt: Attempt;
  readonly work: Promise<unknown>;
}

class PointHistory {
  readonly #rig: Rig;
  readonly #machine: Machine;
  readonly #random: Random;
  readonly #startMs = Date.now() - 3_600_000;
  /** What the disks held when a barrier was shipped. */
  readonly #contents = new Map<number, string[]>();
  readonly #verified = new Set<string>();
  /** Every point there ever was, newest first: who pins may have looked long ago. */
  readonly #seen: RecoveryPoint[] = [];
  readonly #frozen: Frozen[] = [];
  /** Points that were pinned, by runs that have not let go of them. */
  readonly #pinned = new Map<RunId, RecoveryPointId>();
  #epoch = 1;
  #runs = 0;

  private constructor(rig: Rig, machine: Machine, random: Random) {
    this.#rig = rig;
    this.#machine = machine;
    this.#random = random;
  }

  static async begin(rig: Rig, random: Random): Promise<PointHistory> {
    const machine = await rig.machine([64 * KiB, 64 * KiB]);
    const history = new PointHistory(rig, machine, random);
    wholeDisks(machine);
    await history.take(quick('ship'));
    await history.take(quick('apply'));
    return history;
  }

  /** @throws when a step fails for another reason than its cut, or something was lost */
  async take(step: Step): Promise<void> {
    await this.#attempt(step);
    await this.#check();
  }

  /** With everybody awake and let go, one more point leaves nothing behind but itself. */
  async end(): Promise<void> {
    while (this.#frozen.length > 0) await this.take(quick('wake'));
    for (let run = 1; run <= this.#runs; run += 1) await unpinRun(this.#rig.storage, runId(run));
    this.#pinned.clear();
    await this.take(quick('ship'));
    await this.take(quick('apply'));
    await this.take(quick('prune'));
    await this.take(quick('pruneJournal'));
    const points = await this.points();
    if (points.length !== 1) fail(`${points.length} points are left`);
    for (const { blob, snapshots } of await this.#snapshots()) {
      if (snapshots.size !== 1) fail(`${snapshots.size} snapshots of ${blob} are left`);
    }
  }

  points(): Promise<RecoveryPoint[]> {
    return listPoints(this.#rig.storage, this.#machine.item, undefined, this.#machine.key);
  }

  async #attempt(step: Step): Promise<void> {
    const attempt = new Attempt(this.#rig.storage, step.cut);
    const work = attempt.run(await this.#work(step)).catch((error: unknown) => {
      if (step.cut === null && !isUnknownPoint(error)) throw error;
    });
    const isFrozen = await Promise.race([work.then(() => false), attempt.frozen.then(() => true)]);
    if (isFrozen) this.#frozen.push({ attempt, work });
  }

  async #wake(which: number): Promise<void> {
    const [frozen] = this.#frozen.splice(which % Math.max(1, this.#frozen.length), 1);
    if (frozen === undefined) return;
    frozen.attempt.wake();
    await frozen.work;
  }

  async #work({ kind, which, cut: planned }: Step): Promise<Work> {
    const { item, disks } = this.#machine;
    const points = await this.points();
    const nowMs = Date.now();
    const works: Record<Step['kind'], () => Work | Promise<Work>> = {
      ship: () => this.#ship(which % 4 === 3 ? 'progress' : 'point', planned),
      apply: () => {
        const epoch = this.#nextEpoch();
        return ({ storage, signal }) => apply(this.#rig, this.#machine, epoch, { storage, signal });
      },
      prune: () => {
        const policy = { retentionHours: which % 4 === 1 ? 1 : 0 };
        return ({ storage }) => prunePoints(storage, item, policy, nowMs);
      },
      commit: () => {
        const keep = points[which % Math.max(1, points.length)]?.pointId ?? asId<RecoveryPointId>('p000000');
        return ({ storage }) => deleteOtherPoints(storage, item, keep, nowMs);
      },
      pruneJournal: () => {
        const diskIds = disks.map(({ diskId }) => diskId);
        return ({ storage }) => pruneJournal(storage, item, diskIds, points[0]?.barrierNumber ?? 0);
      },
      pin: () => {
        const point = this.#seen[which % Math.max(1, this.#seen.length)];
        return ({ storage }) => this.#pin(storage, point);
      },
      unpin: () => {
        const [run, pointId] = [...this.#pinned][which % Math.max(1, this.#pinned.size)] ?? [];
        if (run === undefined || pointId === undefined) return () => Promise.resolve();
        this.#pinned.delete(run);
        return ({ storage }) => unpinPoint(storage, item, pointId, run);
      },
      wake: () => () => this.#wake(which),
    };
    return works[kind]();
  }

  async #pin(storage: Attempt['storage'], point: RecoveryPoint | undefined): Promise<void> {
    if (point === undefined) return;
    this.#runs += 1;
    const run = runId(this.#runs);
    await pinPoint(storage, this.#machine.item, point.pointId, run);
    this.#pinned.set(run, point.pointId);
  }

  /** A source is read from a snapshot: what a frozen attempt would still read must not change, so it dies instead. */
  async #ship(kind: 'progress' | 'point', planned: Cut | null): Promise<Work> {
    const barrierNumber = ((await latestBarrier(this.#rig.storage, this.#machine.item))?.number ?? 0) + 1;
    if (barrierNumber > 1) await scribble(this.#machine, this.#random, 8 * KiB);
    this.#contents.set(barrierNumber, hashesNow(this.#machine));
    const epoch = this.#nextEpoch();
    const mortal: Cut | null = planned?.mode === 'freeze' ? { ...planned, mode: 'before' } : planned;
    return () =>
      new Attempt(this.#rig.storage, mortal).run(({ storage, signal }) =>
        ship(this.#rig, this.#machine, epoch, {
          storage,
          signal,
          kind,
          barrierNumber,
          sourceTime: new Date(this.#startMs + barrierNumber * 1_000).toISOString(),
        }),
      );
  }

  #nextEpoch(): number {
    this.#epoch += 1;
    return this.#epoch;
  }

  /** Whatever a manifest names is there and holds what was shipped; pinned points have a manifest. */
  async #check(): Promise<void> {
    const points = await this.points();
    const there = new Map((await this.#snapshots()).map(({ blob, snapshots }) => [blob, snapshots]));
    for (const point of points) {
      for (const { replicaBlob, snapshotId } of point.disks) {
        if (there.get(replicaBlob)?.has(snapshotId) !== true) {
          fail(`point ${point.pointId} names snapshot ${snapshotId} of ${replicaBlob}, which is gone`);
        }
      }
      const name = JSON.stringify(point);
      if (this.#verified.has(name)) continue;
      const expected = this.#contents.get(point.barrierNumber)?.join();
      const held = await hashesOf(this.#rig, this.#machine, point);
      if (held.join() !== expected) fail(`point ${point.pointId} does not hold what was shipped`);
      this.#verified.add(name);
      this.#seen.unshift(point);
    }
    for (const pointId of this.#pinned.values()) {
      if (!points.some((point) => point.pointId === pointId)) fail(`pinned point ${pointId} is gone`);
    }
  }

  async #snapshots() {
    return Promise.all(
      this.#machine.disks.map(async ({ diskId }) => {
        const blob = blobNames.replica(this.#machine.item, diskId);
        const snapshots = await this.#rig.storage.replica(blob).snapshots();
        return { blob, snapshots: new Set(snapshots.map(({ snapshotId }) => snapshotId)) };
      }),
    );
  }
}

/** From its first point to the one that is left. @throws when a step fails without a reason, or something was lost */
export async function live(rig: Rig, random: Random, history: readonly Step[]): Promise<void> {
  const running = await PointHistory.begin(rig, random);
  for (const step of history) await running.take(step);
  await running.end();
}

function runId(count: number): RunId {
  return asId(`run-${count}`);
}

function isUnknownPoint(error: unknown): boolean {
  return error instanceof Crash || (error as { code?: string }).code === 'DR_POINT_UNKNOWN';
}
