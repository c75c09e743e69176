/** The newest recovery point of every member that is not later than a moment, and how far they lie apart. */
import type { RecoveryPoint } from '../replication.ts';

type PointAt = Pick<RecoveryPoint, 'pointId' | 'sourceTime' | 'consistency'>;

export interface MemberPoints {
  readonly machine: string;
  readonly points: readonly PointAt[];
}

export interface ChosenPoint extends PointAt {
  readonly machine: string;
  /** From the point to the moment asked for. */
  readonly olderBySeconds: number;
}

export interface CommonPoint {
  readonly chosen: readonly ChosenPoint[];
  /** Members without any point that early. */
  readonly without: readonly string[];
  /** Between the oldest and the newest point chosen. */
  readonly spreadSeconds: number;
}

/** `time` is ISO 8601 UTC; members keep their order, the oldest point of all is the first to look at. */
export function pointsNotLaterThan(members: readonly MemberPoints[], time: string): CommonPoint {
  const moment = Date.parse(time);
  const chosen: ChosenPoint[] = [];
  const without: string[] = [];
  for (const { machine, points } of members) {
    const newest = newestUpTo(points, moment);
    if (newest === undefined) without.push(machine);
    else {
      const { pointId, sourceTime, consistency } = newest;
      const olderBySeconds = (moment - Date.parse(sourceTime)) / 1000;
      chosen.push({ machine, pointId, sourceTime, consistency, olderBySeconds });
    }
  }
  const ages = chosen.map(({ olderBySeconds }) => olderBySeconds);
  return { chosen, without, spreadSeconds: ages.length === 0 ? 0 : Math.max(...ages) - Math.min(...ages) };
}

function newestUpTo(points: readonly PointAt[], moment: number): PointAt | undefined {
  let newest: PointAt | undefined;
  for (const point of points) {
    const at = Date.parse(point.sourceTime);
    if (at <= moment && (newest === undefined || at > Date.parse(newest.sourceTime))) newest = point;
  }
  return newest;
}
