/** What earlier runs have shown, from the results of their jobs: the parts that are asked for, never whole jobs. */
import { and, desc, eq, isNotNull, isNull, sql } from 'drizzle-orm';
import type { ProtectedItemId } from '../../domain/ids.ts';
import type { ItemOperation } from '../../domain/item-operations.ts';
import { MISSED_DRILL_TASK, planJobKinds } from '../../domain/job.ts';
import type { MissedDrill } from '../../domain/plan/missed-drills.ts';
import type { PastRun } from '../../domain/plan/readiness.ts';
import { rtoKinds } from '../../domain/readiness.ts';
import type { Database } from './migrate.ts';
import {
  asked,
  askedId,
  askedKind,
  isOfAskedItem,
  isOfAskedPlan,
  jobKind,
  jobSubject,
  newestFirst,
} from './newest-jobs.ts';
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

const result = sql`${jobs.view} -> 'result'`;
const timedKinds: readonly string[] = Object.values(rtoKinds).flat();
const { test, cleanup } = planJobKinds;

export async function pastRunsOfItems(
  database: Database,
  itemIds: readonly ProtectedItemId[],
): Promise<ItemRun[]> {
  if (itemIds.length === 0) return [];
  const newest = database
    .select({ rtoSeconds: sql<number | null>`(${result} ->> 'rtoSeconds')::float8`.as('rto_seconds') })
    .from(jobs)
    .where(and(isOfAskedItem, isNotNull(sql`${result} ->> 'rtoSeconds'`)))
    .orderBy(newestFirst)
    .limit(RUNS_MAX)
    .as('newest');
  const rows = await database
    .select({ itemId: askedId, kind: sql<ItemOperation>`${askedKind}`, rtoSeconds: newest.rtoSeconds })
    .from(asked(itemIds, timedKinds))
    .crossJoinLateral(newest);
  return rows.flatMap(({ itemId, kind, rtoSeconds }) =>
    rtoSeconds === null ? [] : [{ itemId, kind, rtoSeconds }],
  );
}

export async function pastRunsOfPlans(database: Database, names: readonly string[]): Promise<PlanRunRow[]> {
  if (names.length === 0) return [];
  const newest = database
    .select({
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
    })
    .from(jobs)
    .where(isOfAskedPlan)
    .orderBy(newestFirst)
    .limit(RUNS_MAX)
    .as('newest');
  const rows = await database
    .select({
      plan: askedId,
      kind: sql<PlanRunRow['kind']>`${askedKind}`,
      version: newest.version,
      itemIds: newest.itemIds,
      digests: newest.digests,
      wasCutShort: newest.wasCutShort,
      startedAt: newest.startedAt,
      endedAt: newest.endedAt,
    })
    .from(asked(names, [test, cleanup]))
    .crossJoinLateral(newest)
    .orderBy(desc(newest.endedAt));
  return rows.flatMap(({ version, itemIds, digests, wasCutShort, endedAt, ...row }) =>
    version === null || itemIds === null || wasCutShort === null || endedAt === null
      ? []
      : [{ ...row, version, itemIds, digests: digests ?? {}, wasCutShort, endedAt }],
  );
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
    .where(and(isNull(jobs.itemId), eq(jobKind, test), eq(jobSubject, plan), isNotNull(told)))
    .orderBy(newestFirst)
    .limit(MISSED_MAX);
  return rows.map(({ at, why }) => ({ at, why }));
}
