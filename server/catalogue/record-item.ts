/** The records of protected items. */
import { lte, sql } from 'drizzle-orm';
import type { ItemView } from '../../workflows/contracts/types.ts';
import type { Database } from './migrate.ts';
import { items } from './schema.ts';

export type ItemRow = typeof items.$inferInsert;

export function itemRow(view: ItemView): ItemRow {
  const { itemId: id, machineName, state, health, revision } = view;
  return { id, machineName, state, health, revision, view };
}

/** Of different items. An older revision never replaces a newer one. */
export async function writeItems(database: Database, rows: readonly ItemRow[]): Promise<void> {
  await database
    .insert(items)
    .values([...rows])
    .onConflictDoUpdate({
      target: items.id,
      set: {
        machineName: sql`excluded.machine_name`,
        state: sql`excluded.state`,
        health: sql`excluded.health`,
        revision: sql`excluded.revision`,
        view: sql`excluded.view`,
      },
      setWhere: lte(items.revision, sql`excluded.revision`),
    });
}
