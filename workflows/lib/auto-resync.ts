/** Which trouble a resync mends, and when the policy lets one begin by itself. Pure. */
import type { Condition } from '../../domain/health.ts';
import type { ReplicationPolicy } from '../../domain/machine.ts';

/** Codes as conditions of a session carry them behind their side. */
const MENDABLE: ReadonlySet<string> = new Set([
  'DR_REPLICATION_DIVERGED',
  'DR_MACHINE_DISK_CHANGED',
  'DR_JOURNAL_GAP',
  'DR_SEGMENT_CORRUPT',
  'DR_HEALTH_REPLICA_DIFFERS',
]);

export function resyncIsDue(
  conditions: readonly Condition[],
  policy: ReplicationPolicy,
  nowMs: number,
): boolean {
  const { autoResync } = policy;
  if (autoResync === undefined) return false;
  const isMendable = conditions.some(({ type }) => MENDABLE.has(type.slice(type.indexOf(':') + 1)));
  return isMendable && isInside(autoResync, new Date(nowMs).getUTCHours());
}

function isInside({ fromHour, toHour }: { fromHour: number; toHour: number }, hour: number): boolean {
  return fromHour <= toHour ? hour >= fromHour && hour < toHour : hour >= fromHour || hour < toHour;
}
