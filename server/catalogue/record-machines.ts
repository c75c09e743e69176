/** What one discovery has found of a vCenter's machines. */
import { and, count, eq, ne, not, notInArray, sql } from 'drizzle-orm';
import type { VCenterId } from '../../domain/ids.ts';
import { overStates } from '../../domain/item-states.ts';
import type { DiscoveredMachine } from '../../domain/machine.ts';
import type { Database } from './migrate.ts';
import { items, machines, vcenters } from './schema.ts';

/** Rows of one insert: keeps a statement far below PostgreSQL's 65,535 parameters. */
const MACHINES_PER_INSERT = 500;

/** The machine an item was protected as, or the one it came home as. */
const isOfLivingItem = sql`exists (select 1 from ${items} where ${notInArray(items.state, [...overStates])}
  and ${machines.id} in (${items.id}, ${items.view} -> 'spec' ->> 'machineId'))`;

export const isListed = eq(machines.isGone, false);

/** A discovery that could not read tags leaves those of the one before. */
const withEarlierTags = sql`case when excluded.view ? 'tags' or not ${machines.view} ? 'tags' then excluded.view
  else excluded.view || jsonb_build_object('tags', ${machines.view} -> 'tags') end`;

/** One generation is one discovery; `complete` ends it: machines of other generations are dropped. */
export async function recordMachines(
  database: Database,
  vcenterId: VCenterId,
  discovered: readonly DiscoveredMachine[],
  discovery: { readonly generation: string; readonly complete: boolean },
): Promise<void> {
  const { generation } = discovery;
  const rows = discovered.map((view) => ({ vcenterId, id: view.id, name: view.name, generation, view }));
  await database.transaction(async (transaction) => {
    for (let start = 0; start < rows.length; start += MACHINES_PER_INSERT) {
      await transaction
        .insert(machines)
        .values(rows.slice(start, start + MACHINES_PER_INSERT))
        .onConflictDoUpdate({
          target: [machines.vcenterId, machines.id],
          set: { name: sql`excluded.name`, generation, isGone: false, view: withEarlierTags },
        });
    }
    if (!discovery.complete) return;
    const ofVCenter = eq(machines.vcenterId, vcenterId);
    const unseen = and(ofVCenter, ne(machines.generation, generation));
    await transaction.update(machines).set({ isGone: true }).where(unseen);
    await transaction.delete(machines).where(and(unseen, not(isOfLivingItem)));
    const [total] = await transaction
      .select({ machines: count() })
      .from(machines)
      .where(and(ofVCenter, isListed));
    await transaction
      .update(vcenters)
      .set({ machineCount: total?.machines ?? 0, discoveredAt: sql`now()` })
      .where(eq(vcenters.name, vcenterId));
  });
}
