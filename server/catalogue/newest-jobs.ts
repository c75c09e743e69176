/**
 * The newest jobs of many subjects, each found along an index of its own however many jobs there are: a machine that is
 * drilled every day has hundreds within a year.
 */
import { and, eq, isNull, sql, type SQL } from 'drizzle-orm';
import { jobs } from './schema.ts';

export const jobKind = sql<string>`${jobs.view} ->> 'kind'`;
export const jobSubject = sql<string>`${jobs.view} ->> 'subject'`;
export const newestFirst = sql`${jobs.startedAt} desc`;

/** Each of them with each kind, as rows `asked (id, kind)`: what a lateral join is beside. */
export function asked(ids: readonly string[], kinds: readonly string[]): SQL {
  const rows = (values: readonly string[]) =>
    sql`jsonb_array_elements_text(${JSON.stringify(values)}::jsonb)`;
  return sql`(select id, kind from ${rows(ids)} id, ${rows(kinds)} kind) asked`;
}

export const askedId = sql<string>`asked.id`;
export const askedKind = sql<string>`asked.kind`;
const isAskedKind = and(eq(jobs.state, 'succeeded'), eq(jobKind, askedKind));

/** Of the machine that is asked for, along `jobs_succeeded_of_item`. */
export const isOfAskedItem = and(eq(jobs.itemId, askedId), isAskedKind);

/** Of the plan that is asked for, along `jobs_succeeded_of_plan`: runs of plans are of no item. */
export const isOfAskedPlan = and(isNull(jobs.itemId), eq(jobSubject, askedId), isAskedKind);
