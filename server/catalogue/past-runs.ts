/** What earlier runs have shown, from the results of their jobs: the parts that are asked for, never whole jobs. */
import { and, desc, eq, inArray, isNotNull, isNull, lte, sql } from 'drizzle-orm';
import type { ProtectedItemId } from '../../domain/ids.ts';
import type { ItemOperation } from '../../domain/item-operations.ts';
import { MISSED_DRILL_TASK, planJobKinds } from '../../domain/job.ts';
import type { MissedDrill } from '../../domain/plan/missed-drills.ts';
import type { PastRun } from '../../domain/plan/readiness.ts';
import { rtoKinds } from '../../domain/readiness.ts';
import type { Database } from './migrate.ts';
import { jobs } from './schema.ts';

export interface ItemRun {
  readonly itemId: string;
  readonly kind: ItemOperation;
  readonly rtoSeconds: number;
}

export interface PlanRunRow extends PastRun {
  readonly plan: string;
  readonly kind: 'testPlan' | 'cleanupPlan';
}

/** Of each kind, per item or plan. */
const RUNS_MAX = 5;
const MISSED_MAX = 100;

const kind = sql<string>`${jobs.view} ->> 'kind'`;
const subject = sql<string>`${jobs.view} ->> 'subject'`;
const result = sql`${jobs.view} -> 'result'`;
const timedKinds: readonly string[] = Object.values(rtoKinds).flat();
const { test, cleanup } = planJobKinds;

/** Reads along `jobs_by_item`. */
export async function pastRunsOfItems(
  database: Database,
  itemIds: readonly ProtectedItemId[],
): Promise<ItemRun[]> {
  if (itemIds.length === 0) return [];
  const ranked = database
    .select({
      itemId: sql<string>`${jobs.itemId}`.as('item'),
      kind: sql<ItemOperation>`${kind}`.as('kind'),
      rtoSeconds: sql<number | null>`(${result} ->> 'rtoSeconds')::float8`.as('rto_seconds'),
      place: placeWithin(sql`${jobs.itemId}`),
    })
    .from(jobs)
    .where(
      and(
        inArray(jobs.itemId, [...itemIds]),
        eq(jobs.state, 'succeeded'),
        inArray(kind, [...timedKinds]),
        isNotNull(sql`${result} ->> 'rtoSeconds'`),
      ),
    )
    .as('ranked');
  const rows = await database.select().from(ranked).where(lte(ranked.place, RUNS_MAX));
  return rows.flatMap(({ itemId, kind, rtoSeconds }) =>
    rtoSeconds === null ? [] : [{ itemId, kind, rtoSeconds }],
  );
}

/** Reads along `jobs_by_item`: runs of plans are of no item. */
export async function pastRunsOfPlans(database: Database, names: readonly string[]): Promise<PlanRunRow[]> {
  if (names.length === 0) return [];
  const ranked = database
    .select({
      plan: sql<string>`${subject}`.as('plan'),
      kind: sql<PlanRunRow['kind']>`${kind}`.as('kind'),
      version: sql<number | null>`(${result} -> 'plan' ->> 'version')::int`.as('version'),
      itemIds: sql<
        string[] | null
      >`jsonb_path_query_array(${result}, '$.members[*] ? (@.outcome == "succeeded" || @.outcome == "reached").itemId')`.as(
        'item_ids',
      ),
      digests: sql<
        PastRun['digests'] | null
      >`(select jsonb_object_agg(member ->> 'itemId', member -> 'digest') from jsonb_array_elements(${result} -> 'members') member where member ? 'digest')`.as(
        'digests',
      ),
      wasCutShort: sql<
        boolean | null
      >`jsonb_path_exists(${result}, '$.*[*] ? (@.outcome == "skipped" || @.outcome == "undone")') or jsonb_path_exists(${result}, '$.decisions[*].action')`.as(
        'was_cut_short',
      ),
      startedAt: sql<string>`${jobs.view} ->> 'startedAt'`.as('began'),
      endedAt: sql<string | null>`${jobs.view} ->> 'endedAt'`.as('ended'),
      place: placeWithin(subject),
    })
    .from(jobs)
    .where(
      and(
        isNull(jobs.itemId),
        eq(jobs.state, 'succeeded'),
        inArray(kind, [test, cleanup]),
        inArray(subject, [...names]),
      ),
    )
    .as('ranked');
  const rows = await database
    .select()
    .from(ranked)
    .where(lte(ranked.place, RUNS_MAX))
    .orderBy(desc(ranked.endedAt));
  return rows.flatMap(({ version, itemIds, digests, wasCutShort, endedAt, plan, kind, startedAt }) =>
    version === null || itemIds === null || wasCutShort === null || endedAt === null
      ? []
      : [{ plan, kind, version, itemIds, digests: digests ?? {}, wasCutShort, startedAt, endedAt }],
  );
}

/** 1: the newest of its kind. */
function placeWithin(of: typeof result) {
  return sql<number>`row_number() over (partition by ${of}, ${kind} order by ${jobs.startedAt} desc)`
    .mapWith(Number)
    .as('place');
}

/** The newest ones; `why` is what their jobs say. */
export async function missedDrills(database: Database, plan: string): Promise<MissedDrill[]> {
  const told = sql`jsonb_path_query_first(${jobs.view}, '$.tasks[*] ? (@.id == $id)', ${JSON.stringify({ id: MISSED_DRILL_TASK })}::jsonb)`;
  const rows = await database
    .select({
      at: sql<string>`${jobs.view} ->> 'startedAt'`,
      why: sql<string>`coalesce(${told} ->> 'detail', ${told} -> 'error' ->> 'message', '')`,
    })
    .from(jobs)
    .where(and(isNull(jobs.itemId), eq(kind, test), eq(subject, plan), isNotNull(told)))
    .orderBy(desc(jobs.startedAt))
    .limit(MISSED_MAX);
  return rows.map(({ at, why }) => ({ at, why }));
}
