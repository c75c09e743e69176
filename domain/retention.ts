/**
 * Which recovery points have outlived their policy. The tiers are Site Recovery's: every point of the last two hours,
 * then one an hour when the retention is a day at most; above that one per two hours, and one per four hours after
 * day seven. A point every five minutes makes 24, 46, 107 and 155 points for 2 hours, 1, 7 and 15 days.
 */
import type { Consistency, RecoveryPoint } from './replication.ts';

export type RetainedPoint = Pick<RecoveryPoint, 'barrierNumber' | 'sourceTime' | 'consistency'>;

export interface RetentionPolicy {
  /** 0: the newest point only. */
  readonly retentionHours: number;
}

interface Tier {
  /** Points of at least this age, up to the next tier. */
  readonly fromHours: number;
  /** One point is kept in every so many hours, counted from 1970-01-01 UTC. */
  readonly bucketHours: number;
}

/** Buckets of a tier lie whole inside those of the next one. */
const tiersUpToOneDay: readonly Tier[] = [{ fromHours: 2, bucketHours: 1 }];
const tiersBeyond: readonly Tier[] = [
  { fromHours: 2, bucketHours: 2 },
  { fromHours: 7 * 24, bucketHours: 4 },
];
const HOUR_MS = 3_600_000;

/**
 * Points to delete, oldest first. Age is counted from the source time to `nowMs` (UTC). The newest point is never
 * among them, however old: a machine that stopped replicating stays recoverable. A bucket keeps its first
 * application-consistent point, without any its first point: whether seen early or late, it is the same one.
 */
export function pointsToPrune<P extends RetainedPoint>(
  points: readonly P[],
  policy: RetentionPolicy,
  nowMs: number,
): P[] {
  const inOrder = points.toSorted((a, b) => a.barrierNumber - b.barrierNumber);
  const newest = inOrder.at(-1);
  const keepers = keeperOfBuckets(inOrder, policy);
  return inOrder.filter((point) => {
    const ageHours = ageOf(point, nowMs);
    if (point === newest) return false;
    if (ageHours >= policy.retentionHours) return true;
    const tier = tierAt(policy, ageHours);
    return tier !== null && keepers.get(bucketOf(point, tier)) !== point;
  });
}

/**
 * Of points whose consistency is not known yet: those for which it matters, or that go. Callers that have to read it
 * from somewhere read it for these only.
 */
export function undecidedPoints<P extends Omit<RetainedPoint, 'consistency'>>(
  points: readonly P[],
  policy: RetentionPolicy,
  nowMs: number,
): P[] {
  const sizes = new Map<string, number>();
  const bucketsOf = (point: P) => tiersOf(policy).map((tier) => bucketOf(point, tier));
  for (const bucket of points.flatMap(bucketsOf)) sizes.set(bucket, (sizes.get(bucket) ?? 0) + 1);
  const isCrowded = (bucket: string) => (sizes.get(bucket) ?? 0) > 1;
  const crowdedAndOld = new Set(
    points.flatMap((point) => {
      const tier = tierAt(policy, ageOf(point, nowMs));
      return tier === null ? [] : [bucketOf(point, tier)].filter(isCrowded);
    }),
  );
  return points.filter(
    (point) =>
      ageOf(point, nowMs) >= policy.retentionHours ||
      bucketsOf(point).some((bucket) => crowdedAndOld.has(bucket)),
  );
}

const rank: Readonly<Record<Consistency, number>> = { application: 1, crash: 0 };

/** Over all points, those too young for the tier among them: so that a bucket's keeper is known before it is judged. */
function keeperOfBuckets<P extends RetainedPoint>(
  inOrder: readonly P[],
  policy: RetentionPolicy,
): ReadonlyMap<string, P> {
  const keepers = new Map<string, P>();
  for (const tier of tiersOf(policy)) {
    for (const point of inOrder) {
      const bucket = bucketOf(point, tier);
      const keeper = keepers.get(bucket);
      if (keeper === undefined || rank[point.consistency] > rank[keeper.consistency]) {
        keepers.set(bucket, point);
      }
    }
  }
  return keepers;
}

function tiersOf({ retentionHours }: RetentionPolicy): readonly Tier[] {
  return retentionHours <= 24 ? tiersUpToOneDay : tiersBeyond;
}

/** Null: too young for any. */
function tierAt(policy: RetentionPolicy, ageHours: number): Tier | null {
  return tiersOf(policy).findLast((tier) => ageHours >= tier.fromHours) ?? null;
}

function bucketOf({ sourceTime }: Pick<RetainedPoint, 'sourceTime'>, { bucketHours }: Tier): string {
  return `${bucketHours}/${Math.floor(Date.parse(sourceTime) / (bucketHours * HOUR_MS))}`;
}

/** A source whose clock is ahead makes points that are new. */
function ageOf({ sourceTime }: Pick<RetainedPoint, 'sourceTime'>, nowMs: number): number {
  return Math.max(0, nowMs - Date.parse(sourceTime)) / HOUR_MS;
}
