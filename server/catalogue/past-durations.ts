/** How long the parts of earlier runs took, from the times of their jobs' tasks and steps: never whole jobs. */
import { and, eq, isNull, sql } from 'drizzle-orm';
import type { ProtectedItemId } from '../../domain/ids.ts';
import type { ItemOperation } from '../../domain/item-operations.ts';
import { planJobKinds } from '../../domain/job.ts';
import type { MoveTimes, PastDurations } from '../../domain/plan/duration-model.ts';
import { operationOfRun } from '../../domain/plan/member-move.ts';
import type { PlanRunKind } from '../../domain/plan/plan.ts';
import type { Database } from './migrate.ts';
import { asked, askedId, isOfAskedItem, jobKind, jobSubject, newestFirst } from './newest-jobs.ts';
import { jobs } from './schema.ts';

/** Newest of each machine, and of each plan. */
const RUNS_MAX = 20;
/** Newest of any machine. */
const MOVES_MAX = 200;

const startedAt = sql<string>`${jobs.view} ->> 'startedAt'`;
const endedAt = sql<string>`${jobs.view} ->> 'endedAt'`;
const timeOf = (path: string) =>
  sql<string | null>`jsonb_path_query_first(${jobs.view}, ${sql.raw(`'${path}'`)}) #>> '{}'`;

/** The last task of what can be done before a machine starts, and the task that starts it (`workflows/failover.ts`). */
const times = {
  startedAt: startedAt.as('began'),
  endedAt: endedAt.as('ended'),
  readyAt: timeOf('$.tasks[*] ? (@.id == "nic").endedAt').as('ready_at'),
  startsAt: timeOf('$.tasks[*] ? (@.id == "vm").startedAt').as('starts_at'),
};

export async function pastDurations(
  database: Database,
  {
    plan,
    kind,
    itemIds,
  }: { readonly plan: string; readonly kind: PlanRunKind; readonly itemIds: readonly ProtectedItemId[] },
): Promise<PastDurations> {
  const operation = operationOfRun(kind);
  const [own, any, steps] = await Promise.all([
    movesOfItems(database, operation, itemIds),
    movesOfAny(database, operation),
    stepsOfPlan(database, plan, kind),
  ]);
  return {
    ofItem: new Map(
      [...Map.groupBy(own, ({ itemId }) => itemId)].map(([id, rows]) => [id, rows.flatMap(movesOf)]),
    ),
    ofAny: any.flatMap(movesOf),
    ofStep: new Map(
      [...Map.groupBy(steps, ({ step }) => step)].map(([step, rows]) => [step, rows.flatMap(secondsOf)]),
    ),
  };
}

async function movesOfItems(
  database: Database,
  operation: ItemOperation,
  itemIds: readonly ProtectedItemId[],
) {
  if (itemIds.length === 0) return [];
  const newest = database
    .select(times)
    .from(jobs)
    .where(isOfAskedItem)
    .orderBy(newestFirst)
    .limit(RUNS_MAX)
    .as('newest');
  const { startedAt, endedAt, readyAt, startsAt } = newest;
  return database
    .select({ itemId: askedId, startedAt, endedAt, readyAt, startsAt })
    .from(asked(itemIds, [operation]))
    .crossJoinLateral(newest);
}

/** Reads along `jobs_succeeded_of_kind`. */
async function movesOfAny(database: Database, operation: ItemOperation) {
  return database
    .select(times)
    .from(jobs)
    .where(and(eq(jobs.state, 'succeeded'), eq(jobKind, operation)))
    .orderBy(newestFirst)
    .limit(MOVES_MAX);
}

interface StepTimes {
  readonly step: string;
  readonly startedAt: string;
  readonly endedAt: string;
}

/**
 * Also of steps that were told to have failed and did not stop the run: they took their time. Without those that did
 * something else than the plan says.
 */
async function stepsOfPlan(
  database: Database,
  plan: string,
  kind: PlanRunKind,
): Promise<readonly StepTimes[]> {
  const steps = sql<
    StepTimes[]
  >`jsonb_path_query_array(${jobs.view}, '$.result.steps[*] ? ((@.outcome == "succeeded" || @.outcome == "failed") && !(@.taskId == $.result.decisions[*] ? (exists (@.action)).taskId))')`;
  const rows = await database
    .select({ steps })
    .from(jobs)
    .where(
      and(
        isNull(jobs.itemId),
        eq(jobs.state, 'succeeded'),
        eq(jobKind, planJobKinds[kind]),
        eq(jobSubject, plan),
      ),
    )
    .orderBy(newestFirst)
    .limit(RUNS_MAX);
  return rows.flatMap((row) => row.steps);
}

interface MoveRow {
  readonly startedAt: string;
  readonly endedAt: string;
  readonly readyAt: string | null;
  readonly startsAt: string | null;
}

/** What lies between being ready and starting is waiting for the machine's turn in its plan: no part of the move. */
function movesOf({ startedAt: from, endedAt: to, readyAt, startsAt }: MoveRow): MoveTimes[] {
  if (readyAt === null || startsAt === null) {
    const whole = between(from, to);
    return Number.isFinite(whole) ? [{ whole }] : [];
  }
  const [prepare, start] = [between(from, readyAt), between(startsAt, to)];
  return Number.isFinite(prepare + start) ? [{ whole: prepare + start, prepare, start }] : [];
}

function secondsOf(step: StepTimes): number[] {
  const seconds = between(step.startedAt, step.endedAt);
  return Number.isFinite(seconds) ? [seconds] : [];
}

function between(from: string, to: string): number {
  return Math.max(0, Date.parse(to) - Date.parse(from)) / 1_000;
}
