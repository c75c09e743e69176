/** Asks the schedules of all plans once a minute which drills did not begin, and tells of each once. */
import { DrError } from '../../domain/errors.ts';
import { noticesOfSchedule, type ScheduleTold } from '../../domain/plan/missed-drills.ts';
import type { ServerDeps } from '../deps.ts';
import type { DrillScheduleView } from '../temporal-schedules.ts';
import { LOOK_EVERY_MS } from './readiness-watch.ts';

/** Nothing, when somebody has looked a moment ago. @throws DR_TEMPORAL_UNREACHABLE */
export async function watchDrills(
  { catalogue, runbooks }: Pick<ServerDeps, 'catalogue' | 'runbooks'>,
  now: Date,
): Promise<void> {
  const { watches } = catalogue;
  if (!(await watches.claimLook('drills', { now, everyMs: LOOK_EVERY_MS }))) return;
  const told = await watches.told<ScheduleTold>('drills');
  const plans = await runbooks.scheduledPlans();
  for (const plan of new Set([...told.keys(), ...plans])) {
    const seen = await scheduleOf(runbooks, plan);
    if (seen === null) {
      await watches.keep('drills', { told: new Map([[plan, null]]), notices: [], at: now });
      continue;
    }
    const before = told.get(plan);
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

function isSame(a: ScheduleTold | undefined, b: ScheduleTold): boolean {
  return (
    a !== undefined &&
    a.missed === b.missed &&
    a.skipped === b.skipped &&
    a.pausedByFailure === b.pausedByFailure
  );
}
