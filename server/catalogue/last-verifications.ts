/** The last comparison of each machine's source with a recovery point that came to its end. */
import { and, eq, inArray, sql } from 'drizzle-orm';
import type { VerificationRecord } from '../../domain/evidence/record.ts';
import type { Database } from './migrate.ts';
import { jobs } from './schema.ts';

/** By item id. Reads along `jobs_by_item`. */
export async function lastVerifications(
  database: Database,
  itemIds: readonly string[],
): Promise<ReadonlyMap<string, VerificationRecord>> {
  if (itemIds.length === 0) return new Map();
  const result = sql`${jobs.view} -> 'result'`;
  const bytes = (field: string) => sql<number | null>`(${result} ->> ${sql.raw(`'${field}'`)})::float8`;
  const rows = await database
    .selectDistinctOn([jobs.itemId], {
      itemId: jobs.itemId,
      job: jobs.id,
      endedAt: sql<string | null>`${jobs.view} ->> 'endedAt'`,
      pointId: sql<string | null>`${result} ->> 'pointId'`,
      comparedBytes: bytes('comparedBytes'),
      changedBytes: bytes('changedBytes'),
      differingBytes: bytes('differingBytes'),
    })
    .from(jobs)
    .where(
      and(
        inArray(jobs.itemId, [...itemIds]),
        eq(jobs.state, 'succeeded'),
        eq(sql`${jobs.view} ->> 'kind'`, 'verify'),
      ),
    )
    .orderBy(jobs.itemId, sql`${jobs.startedAt} desc`);
  return new Map(rows.flatMap((row) => known(row)));
}

type Row = { readonly itemId: string | null } & {
  readonly [K in keyof VerificationRecord]: VerificationRecord[K] | null;
};

/** A job of an older program may say less: then nothing is said. */
function known({ itemId, ...row }: Row): (readonly [string, VerificationRecord])[] {
  const isWhole = Object.values(row).every((value) => value !== null);
  return itemId === null || !isWhole ? [] : [[itemId, row as VerificationRecord]];
}
