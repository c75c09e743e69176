/** Which recovery points have outlived their policy. */
import type { RecoveryPoint } from './replication.ts';

/**
 * Points older than the retention, oldest first. Age is counted from the source time to `nowMs` (UTC).
 * The newest point is never among them, however old: a machine that stopped replicating stays recoverable.
 */
export function pointsToPrune(
  points: readonly RecoveryPoint[],
  policy: { readonly retentionHours: number },
  nowMs: number,
): RecoveryPoint[] {
  const oldestKeptMs = nowMs - policy.retentionHours * 3_600_000;
  return points
    .toSorted((a, b) => a.barrierNumber - b.barrierNumber)
    .slice(0, -1)
    .filter((point) => Date.parse(point.sourceTime) < oldestKeptMs);
}
