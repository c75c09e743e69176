/** The recovery point an operator's choice means. Pure. */
import { DrError } from '../../domain/errors.ts';
import type { ItemSpec } from '../../domain/machine.ts';
import type { RecoveryPoint, RecoveryPointChoice } from '../../domain/replication.ts';

/**
 * `latest` and `latestProcessed` are the newest of the points there are. A point that retention has not removed yet
 * may be chosen however old it is: that is what it was kept for.
 * @throws DR_POINT_UNKNOWN, DR_POINT_NONE
 */
export function choosePoint(
  points: readonly RecoveryPoint[],
  item: ItemSpec,
  choice: RecoveryPointChoice,
): RecoveryPoint {
  if (choice.kind === 'custom') {
    const found = points.find((point) => point.pointId === choice.pointId);
    if (found !== undefined) return found;
    throw new DrError('DR_POINT_UNKNOWN', { item: item.machineName, point: choice.pointId });
  }
  const candidates =
    choice.kind === 'latestAppConsistent' ? points.filter((p) => p.consistency === 'application') : points;
  const [newest] = candidates.toSorted((a, b) => b.barrierNumber - a.barrierNumber);
  if (newest !== undefined) return newest;
  throw new DrError('DR_POINT_NONE', { item: item.machineName, choice: choice.kind });
}
