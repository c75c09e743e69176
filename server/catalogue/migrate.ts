/** Brings the tables to this version's form. Several processes may start at once: an advisory lock lets one of them do it. */
import { asc, sql } from 'drizzle-orm';
import { integer, pgTable, timestamp, type PgDatabase, type PgQueryResultHKT } from 'drizzle-orm/pg-core';
import { DrError } from '../../domain/errors.ts';
import { migrations } from './migrations.ts';

export type Database = PgDatabase<PgQueryResultHKT>;

/** Any number does, as long as nobody else in the database uses it. */
const MIGRATION_LOCK = 7_204_871;

const applied = pgTable('switchback_migrations', {
  number: integer('number').primaryKey(),
  appliedAt: timestamp('applied_at', { withTimezone: true }).notNull().defaultNow(),
});

/** One transaction: either all of them are in, or none. @throws DR_CATALOGUE_UNREACHABLE when a newer version made the tables. */
export async function migrate(database: Database): Promise<void> {
  await database.transaction(async (transaction) => {
    await transaction.execute(sql`select pg_advisory_xact_lock(${MIGRATION_LOCK})`);
    await transaction.execute(
      sql`create table if not exists switchback_migrations (number integer primary key, applied_at timestamptz not null default now())`,
    );
    const done = await transaction.select().from(applied).orderBy(asc(applied.number));
    const newest = done.at(-1)?.number ?? 0;
    if (newest > migrations.length) {
      const reason = `its tables have version ${newest}, this program knows ${migrations.length}`;
      throw new DrError('DR_CATALOGUE_UNREACHABLE', { reason });
    }
    for (const migration of migrations.filter((m) => m.number > newest)) {
      for (const statement of migration.statements) await transaction.execute(sql.raw(statement));
      await transaction.insert(applied).values({ number: migration.number });
    }
  });
}
