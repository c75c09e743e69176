/** When a cycle asks the guest to bring its applications to rest, and what became of it. */
import type { Condition } from '../../domain/health.ts';
import type { ItemSpec } from '../../domain/machine.ts';
import type { VaultStorage } from '../../domain/ports.ts';
import type { Barrier } from '../../domain/replication.ts';
import type { AppConsistency } from '../../workflows/contracts/types.ts';
import { latestBarrier } from '../../dataplane/journal/barriers.ts';
import { listPoints } from '../../dataplane/points.ts';

const HOUR_MS = 3_600_000;
/** Quiescing stills the guest: one that cannot is not asked at every cycle. */
const ASK_AGAIN_MS = HOUR_MS;

/** `known`: what an earlier cycle of the session has found out. Undefined: the policy wants no such points. */
export async function appConsistencyOf(
  storage: VaultStorage,
  item: ItemSpec,
  known: AppConsistency | undefined,
): Promise<AppConsistency | undefined> {
  const hours = item.policy.appConsistentHours ?? 0;
  if (hours === 0) return undefined;
  if (known !== undefined) return known;
  const newest = await latestBarrier(storage, item.itemId);
  const made = [...(newest === null ? [] : [newest]), ...(await listPoints(storage, item.itemId))];
  const times = made.filter((point) => point.consistency === 'application').map((point) => point.sourceTime);
  return { nextAt: addMs(times.toSorted().at(-1) ?? '1970-01-01T00:00:00.000Z', hours * HOUR_MS) };
}

export function isDue(consistency: AppConsistency | undefined, nowMs: number): boolean {
  return consistency !== undefined && nowMs >= Date.parse(consistency.nextAt);
}

/** After a cycle that asked: the barrier says what its snapshot was. */
export function afterAsking(item: ItemSpec, barrier: Barrier): AppConsistency {
  const { appConsistentHours = 0 } = item.policy;
  if (barrier.consistency === 'application') {
    return { nextAt: addMs(barrier.sourceTime, appConsistentHours * HOUR_MS) };
  }
  return { nextAt: addMs(new Date().toISOString(), ASK_AGAIN_MS), warning: notQuiesced(item) };
}

function notQuiesced({ machineName }: ItemSpec): Omit<Condition, 'since'> {
  return {
    type: 'DR_HEALTH_NOT_QUIESCED',
    category: 'warning',
    reason: `"${machineName}" could not be quiesced: its newest recovery points are crash-consistent`,
    suggestion:
      'See that VMware Tools run in the guest, on Windows also its VSS writers; it is asked again within an hour.',
  };
}

function addMs(time: string, ms: number): string {
  return new Date(Date.parse(time) + ms).toISOString();
}
