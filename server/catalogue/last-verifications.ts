/** The last comparison of each machine's source with a recovery point that came to its end. */
import { sql } from 'drizzle-orm';
import type { VerificationRecord } from '../../domain/evidence/record.ts';
import type { Database } from './migrate.ts';
import { asked, askedId, isOfAskedItem, newestFirst } from './newest-jobs.ts';
import { jobs } from './schema.ts';

/** By item id. */
export async function lastVerifications(
  database: Database,
  itemIds: readonly string[],
): Promise<ReadonlyMap<string, VerificationRecord>> {
  if (itemIds.length === 0) return new Map();
  const result = sql`${jobs.view} -> 'result'`;
  const bytes = (field: string) => sql<number | null>`(${result} ->> ${sql.raw(`'${field}'`)})::float8`;
  const newest = database
    .select({
      job: jobs.id,
      endedAt: sql<string | null>`${jobs.view} ->> 'endedAt'`.as('ended'),
      pointId: sql<string | null>`${result} ->> 'pointId'`.as('point'),
      comparedBytes: bytes('comparedBytes').as('compared'),
      changedBytes: bytes('changedBytes').as('changed'),
      differingBytes: bytes('differingBytes').as('differing'),
    })
    .from(jobs)
    .where(isOfAskedItem)
    .orderBy(newestFirst)
    .limit(1)
    .as('newest');
  const rows = await database
    .select({
      itemId: askedId,
      job: newest.job,
      endedAt: newest.endedAt,
      pointId: newest.pointId,
      comparedBytes: newest.comparedBytes,
      changedBytes: newest.changedBytes,
      differingBytes: newest.differingBytes,
    })
    .from(asked(itemIds, ['verify']))
    .crossJoinLateral(newest);
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
