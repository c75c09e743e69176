/** How much a run that begins now would lose: the age of the newest recovery point of each machine. */
import type { ProtectedItemId } from '../domain/ids.ts';
import type { PlanRunKind } from '../domain/plan/plan.ts';
import type { ServerDeps } from './deps.ts';
import { isStorageAway, newestReadable } from './newest-point.ts';

/** Reads of the storage account at the same time. */
const READS_MAX = 16;

export interface PointAges {
  readonly seconds: ReadonlyMap<ProtectedItemId, number>;
  /** What could not be looked at, one line each. */
  readonly notChecked: readonly string[];
}

/** Only of drills and failovers: on the way home recovery points lie on premises. */
export async function pointAges(
  { points }: Pick<ServerDeps, 'points'>,
  kind: PlanRunKind,
  members: readonly { readonly itemId: ProtectedItemId; readonly machineName: string }[],
): Promise<PointAges> {
  const seconds = new Map<ProtectedItemId, number>();
  if (kind !== 'test' && kind !== 'failover') return { seconds, notChecked: [] };
  const without: string[] = [];
  const problems = new Set<string>();
  const queue = members.values();
  const readNext = async () => {
    for (const { itemId, machineName } of queue) {
      try {
        const newest = await newestReadable(points, itemId);
        if (newest === undefined) without.push(machineName);
        else seconds.set(itemId, Math.max(0, Date.now() - Date.parse(newest.sourceTime)) / 1_000);
      } catch (error) {
        if (!isStorageAway(error)) throw error;
        problems.add(`recovery points: ${error.message}`);
        return;
      }
    }
  };
  await Promise.all(Array.from({ length: READS_MAX }, readNext));
  const none = without.length === 0 ? [] : [`RPO of ${without.join(', ')}: no recovery point`];
  return { seconds, notChecked: [...problems, ...none] };
}
