/** What watches have told: kept with the notifications that told it, so that a restart neither repeats nor forgets. */
import { and, eq, lte, sql } from 'drizzle-orm';
import type { Notice } from '../../domain/notification.ts';
import { addNotices } from './notifications.ts';
import type { Database } from './migrate.ts';
import { watched, watches } from './schema.ts';

export type WatchName = 'readiness' | 'drills';

interface Kept {
  /** By subject; null: there is no such thing any more. */
  readonly told: ReadonlyMap<string, object | null>;
  readonly notices: readonly Notice[];
  readonly at: Date;
}

export type WatchMemory = ReturnType<typeof createWatchMemory>;

export function createWatchMemory(database: Database) {
  return {
    /** True: the caller is to look now. False: somebody has, less than `everyMs` ago. */
    async claimLook(
      name: WatchName,
      { now, everyMs }: { readonly now: Date; readonly everyMs: number },
    ): Promise<boolean> {
      const taken = await database
        .insert(watches)
        .values({ name, lookedAt: now })
        .onConflictDoUpdate({
          target: watches.name,
          set: { lookedAt: now },
          setWhere: lte(watches.lookedAt, new Date(now.getTime() - everyMs)),
        })
        .returning({ name: watches.name });
      return taken.length === 1;
    },

    async lastLook(name: WatchName): Promise<Date | undefined> {
      const [row] = await database.select().from(watches).where(eq(watches.name, name));
      return row?.lookedAt;
    },

    /** By subject; states are what this watch itself has kept. */
    async told<State>(watch: WatchName): Promise<ReadonlyMap<string, State>> {
      const rows = await database.select().from(watched).where(eq(watched.watch, watch));
      return new Map(rows.map(({ subject, state }) => [subject, state as State]));
    },

    /** Keeps what was told and tells it: both or neither. */
    keep: (watch: WatchName, kept: Kept) =>
      database.transaction(async (transaction) => {
        const all = [...kept.told];
        const gone = all.flatMap(([subject, state]) => (state === null ? [subject] : []));
        const states = Object.fromEntries(all.filter(([, state]) => state !== null));
        // However many there are, they are one parameter: PostgreSQL takes 65,535.
        await transaction
          .delete(watched)
          .where(
            and(
              eq(watched.watch, watch),
              sql`${watched.subject} in (select jsonb_array_elements_text(${JSON.stringify(gone)}::jsonb))`,
            ),
          );
        await transaction.execute(
          sql`insert into ${watched} (watch, subject, state)
            select ${watch}, key, value from jsonb_each(${JSON.stringify(states)}::jsonb)
            on conflict (watch, subject) do update set state = excluded.state`,
        );
        await addNotices(transaction, kept.notices, kept.at);
      }),
  };
}
