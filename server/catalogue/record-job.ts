/** The record of a job and what it tells people: together or not at all. */
import { and, eq, inArray, lte, sql } from 'drizzle-orm';
import { planJobKinds, type Job } from '../../domain/job.ts';
import { mayTell, noticesOfJob, planRunOf } from '../../domain/job-notices.ts';
import type { Database } from './migrate.ts';
import { addNotices } from './notifications.ts';
import { jobs } from './schema.ts';

/** An older revision never replaces a newer one, and tells nothing. */
export async function recordJob(database: Database, job: Job): Promise<void> {
  if (!mayTell(job)) {
    await write(database, job);
    return;
  }
  await database.transaction(async (transaction) => {
    const [earlier] = await transaction
      .select({ view: jobs.view })
      .from(jobs)
      .where(eq(jobs.id, job.id))
      .for('update');
    if (!(await write(transaction, job))) return;
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

export function jobRow(job: Job): typeof jobs.$inferInsert {
  return {
    id: job.id,
    itemId: job.itemId ?? null,
    state: job.state,
    startedAt: new Date(job.startedAt),
    revision: job.revision,
    view: job,
  };
}

/** False: a newer one is there. */
async function write(database: Database, job: Job): Promise<boolean> {
  const row = jobRow(job);
  const written = await database
    .insert(jobs)
    .values(row)
    .onConflictDoUpdate({ target: jobs.id, set: row, setWhere: lte(jobs.revision, job.revision) })
    .returning({ id: jobs.id });
  return written.length === 1;
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
