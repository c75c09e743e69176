/** Versions of recovery plans. */
import { createHash } from 'node:crypto';
import { and, asc, desc, eq, getTableColumns, sql } from 'drizzle-orm';
import type { RecoveryPlan } from '../../domain/plan/plan.ts';
import type { AppliedOutcome, PlanVersion, StoredPlan } from '../../domain/plan/stored.ts';
import type { Database } from './migrate.ts';
import { afterCursor, pageOf, type Page, type PageRequest } from './paging.ts';
import { planVersions } from './schema.ts';

export interface PlanToApply {
  readonly text: string;
  /** What the text means. */
  readonly plan: RecoveryPlan;
  readonly author: string;
}

export interface AppliedPlan {
  readonly outcome: AppliedOutcome;
  /** The newest version now. */
  readonly stored: StoredPlan;
  /** The newest version until then. */
  readonly before?: StoredPlan;
}

/** A version without its document. */
export interface ListedPlan extends PlanVersion {
  readonly description?: string;
  readonly groupCount: number;
}

/** First half of the advisory locks under which versions are counted; the second is the name. */
const PLAN_LOCK = 7_204_872;

const { text: _, plan: __, ...versionColumns } = getTableColumns(planVersions);

/** Applies of one name wait for each other: every version is made of the one before it. */
export async function applyPlan(database: Database, given: PlanToApply): Promise<AppliedPlan> {
  const { text, plan, author } = given;
  const sha256 = createHash('sha256').update(text, 'utf8').digest('hex');
  return database.transaction(async (transaction) => {
    await transaction.execute(sql`select pg_advisory_xact_lock(${PLAN_LOCK}, hashtext(${plan.name}))`);
    const before = await storedPlan(transaction, plan.name);
    if (before?.sha256 === sha256) return { outcome: 'unchanged', stored: before };
    const row = {
      name: plan.name,
      version: (before?.version ?? 0) + 1,
      sha256,
      author,
      appliedAt: new Date(),
      text,
      plan,
    };
    await transaction.insert(planVersions).values(row);
    const stored = storedOf(row);
    return before === undefined ? { outcome: 'created', stored } : { outcome: 'changed', stored, before };
  });
}

/** The newest version, or that one. */
export async function storedPlan(
  database: Database,
  name: string,
  version?: number,
): Promise<StoredPlan | undefined> {
  const [row] = await database
    .select()
    .from(planVersions)
    .where(
      and(eq(planVersions.name, name), version === undefined ? undefined : eq(planVersions.version, version)),
    )
    .orderBy(desc(planVersions.version))
    .limit(1);
  return row === undefined ? undefined : storedOf(row);
}

/** The newest version of every plan. */
export async function newestPlans(database: Database): Promise<StoredPlan[]> {
  const rows = await database
    .selectDistinctOn([planVersions.name])
    .from(planVersions)
    .orderBy(asc(planVersions.name), desc(planVersions.version));
  return rows.map(storedOf);
}

/** By name, each with its newest version. */
export async function listPlans(database: Database, page: PageRequest): Promise<Page<ListedPlan>> {
  const rows = await database
    .selectDistinctOn([planVersions.name], {
      ...versionColumns,
      description: sql<string | null>`${planVersions.plan} ->> 'description'`,
      groupCount: sql<number>`jsonb_array_length(${planVersions.plan} -> 'groups')`,
    })
    .from(planVersions)
    .where(afterCursor([planVersions.name], 'ascending', page.cursor))
    .orderBy(asc(planVersions.name), desc(planVersions.version))
    .limit(page.limit + 1);
  return pageOf(rows, page.limit, {
    key: ({ name }) => [name],
    entry: ({ description, groupCount, ...row }) => ({
      ...versionOf(row),
      ...(description === null ? {} : { description }),
      groupCount,
    }),
  });
}

/** Newest first. */
export async function listPlanVersions(
  database: Database,
  name: string,
  page: PageRequest,
): Promise<Page<PlanVersion>> {
  const rows = await database
    .select(versionColumns)
    .from(planVersions)
    .where(and(eq(planVersions.name, name), afterCursor([planVersions.version], 'descending', page.cursor)))
    .orderBy(desc(planVersions.version))
    .limit(page.limit + 1);
  return pageOf(rows, page.limit, { key: ({ version }) => [String(version)], entry: versionOf });
}

type VersionRow = Omit<typeof planVersions.$inferSelect, 'text' | 'plan'>;

function versionOf({ name, version, sha256, author, appliedAt }: VersionRow): PlanVersion {
  return { name, version, sha256, author, appliedAt: appliedAt.toISOString() };
}

function storedOf(row: typeof planVersions.$inferSelect): StoredPlan {
  return { ...versionOf(row), text: row.text, plan: row.plan };
}
