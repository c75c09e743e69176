/** Asks the schedules of all plans once a minute which drills did not begin, and tells of each once. */
import { DrError } from '../../domain/errors.ts';
import { noticesOfSchedule, NOTHING_TOLD, type ScheduleTold } from '../../domain/plan/missed-drills.ts';
import type { ServerDeps } from '../deps.ts';
import type { DrillScheduleView } from '../temporal-schedules.ts';
import { LOOK_EVERY_MS } from './readiness-watch.ts';

interface Kept extends ScheduleTold {
  /** The schedule was removed; what is made in its place is told of from its first drill. */
  readonly isGone?: true;
}

const GONE: Kept = { ...NOTHING_TOLD, isGone: true };

/** Nothing, when somebody has looked a moment ago. @throws DR_TEMPORAL_UNREACHABLE */
export async function watchDrills(
  { catalogue, runbooks }: Pick<ServerDeps, 'catalogue' | 'runbooks'>,
  now: Date,
): Promise<void> {
  const { watches } = catalogue;
  if (!(await watches.claimLook('drills', { now, everyMs: LOOK_EVERY_MS }))) return;
  const told = await watches.told<Kept>('drills');
  const known = [...told].flatMap(([plan, { isGone }]) => (isGone === true ? [] : [plan]));
  const plans = await runbooks.scheduledPlans();
  for (const plan of new Set([...known, ...plans])) {
    const seen = await scheduleOf(runbooks, plan);
    const before = told.get(plan);
    if (seen === null) {
      if (before === undefined) continue;
      await watches.keep('drills', { told: new Map([[plan, GONE]]), notices: [], at: now });
      continue;
    }
    const notices = noticesOfSchedule(plan, before, seen, now.toISOString());
    const { missed, skipped, pausedByFailure } = seen;
    const after = { missed, skipped, pausedByFailure };
    if (isSame(before, after)) continue;
    await watches.keep('drills', { told: new Map([[plan, after]]), notices, at: now });
  }
}

/** Null: it was removed. */
async function scheduleOf(runbooks: ServerDeps['runbooks'], plan: string): Promise<DrillScheduleView | null> {
  try {
    return await runbooks.describeSchedule(plan);
  } catch (error) {
    if (error instanceof DrError && error.code === 'DR_SCHEDULE_UNKNOWN') return null;
    throw error;
  }
}

function isSame(a: Kept | undefined, b: ScheduleTold): boolean {
  return (
    a !== undefined &&
    a.isGone === undefined &&
    a.missed === b.missed &&
    a.skipped === b.skipped &&
    a.pausedByFailure === b.pausedByFailure
  );
}
