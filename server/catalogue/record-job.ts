/** The record of a job and what it tells people: together or not at all. */
import { and, eq, inArray, lte, sql } from 'drizzle-orm';
import { planJobKinds, type Job } from '../../domain/job.ts';
import { noticesOfJob, planRunOf } from '../../domain/job-notices.ts';
import type { Database } from './migrate.ts';
import { addNotices } from './notifications.ts';
import { jobs } from './schema.ts';

/** Of a job that may have something to tell. An older revision never replaces a newer one, and tells nothing. */
export async function recordTellingJob(database: Database, job: Job): Promise<void> {
  await database.transaction(async (transaction) => {
    const [earlier] = await transaction
      .select({ view: jobs.view })
      .from(jobs)
      .where(eq(jobs.id, job.id))
      .for('update');
    if ((await writeJobs(transaction, [jobRow(job)])) === 0) return;
    const at = new Date();
    const notices = noticesOfJob({
      ...(earlier === undefined ? {} : { before: earlier.view }),
      job,
      at: at.toISOString(),
      isPartOfPlanRun: await isPartOfPlanRun(transaction, job),
    });
    await addNotices(transaction, notices, at);
  });
}

export type JobRow = typeof jobs.$inferInsert;

export function jobRow(job: Job): JobRow {
  return {
    id: job.id,
    itemId: job.itemId ?? null,
    state: job.state,
    startedAt: new Date(job.startedAt),
    revision: job.revision,
    view: job,
  };
}

/** Of different jobs. Answers how many were written: an older revision never replaces a newer one. */
export async function writeJobs(database: Database, rows: readonly JobRow[]): Promise<number> {
  const written = await database
    .insert(jobs)
    .values([...rows])
    .onConflictDoUpdate({
      target: jobs.id,
      set: {
        itemId: sql`excluded.item_id`,
        state: sql`excluded.state`,
        startedAt: sql`excluded.started_at`,
        revision: sql`excluded.revision`,
        view: sql`excluded.view`,
      },
      setWhere: lte(jobs.revision, sql`excluded.revision`),
    })
    .returning({ id: jobs.id });
  return written.length;
}

async function isPartOfPlanRun(database: Database, job: Job): Promise<boolean> {
  const run = planRunOf(job);
  if (run === undefined) return false;
  const isPlanRun = inArray(sql`${jobs.view} ->> 'kind'`, Object.values(planJobKinds));
  const found = await database
    .select({ id: jobs.id })
    .from(jobs)
    .where(and(eq(jobs.id, run), isPlanRun));
  return found.length === 1;
}
