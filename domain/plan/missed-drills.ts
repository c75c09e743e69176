/** Scheduled drills that did not run: how many, why, and who is told of which. */
import { noticeTime, type Notice } from '../notification.ts';

/** What a schedule says of itself. */
export interface ScheduleSeen {
  /** Drills that were due longer ago than is made up for. */
  readonly missed: number;
  /** Drills that were due while the one before was running. */
  readonly skipped: number;
  /** A drill failed; none begins until somebody resumes the schedule. */
  readonly pausedByFailure: boolean;
  readonly note: string;
}

export type ScheduleTold = Pick<ScheduleSeen, 'missed' | 'skipped' | 'pausedByFailure'>;

/** Of a schedule that was removed: one that is made in its place counts from nothing. */
export const NOTHING_TOLD: ScheduleTold = { missed: 0, skipped: 0, pausedByFailure: false };

/** A drill whose own job says why it did not run. */
export interface MissedDrill {
  /** ISO 8601 UTC. */
  readonly at: string;
  readonly why: string;
}

/** Drills that did not run for the same reason. */
export interface Misses {
  readonly why: string;
  readonly count: number;
  /** ISO 8601 UTC; absent: not known. */
  readonly lastAt?: string;
}

const reasons = {
  skipped: 'the drill before was still running',
  missed: 'nobody was there to begin it within the hour after it was due',
} as const;

/** As far as it is known: jobs of missed drills are counted back to the oldest that is given. */
export function missesOf(seen: ScheduleTold, drills: readonly MissedDrill[]): Misses[] {
  const counted = (['skipped', 'missed'] as const).flatMap((counter): Misses[] =>
    seen[counter] === 0 ? [] : [{ why: reasons[counter], count: seen[counter] }],
  );
  const told = [...Map.groupBy(drills, ({ why }) => why)].map(([why, of]): Misses => {
    const lastAt = of
      .map(({ at }) => at)
      .toSorted()
      .at(-1);
    return { why, count: of.length, ...(lastAt === undefined ? {} : { lastAt }) };
  });
  return [...counted, ...told];
}

/**
 * `at`: ISO 8601 UTC. A schedule that was made anew counts from nothing again. Of one that is seen for the first time
 * nobody knows when it missed what it missed: only that it is paused is told.
 */
export function noticesOfSchedule(
  plan: string,
  before: ScheduleTold | undefined,
  seen: ScheduleSeen,
  at: string,
): Notice[] {
  const told = before ?? { ...seen, pausedByFailure: false };
  const missed = (['skipped', 'missed'] as const).flatMap((counter) => {
    const more = seen[counter] - told[counter];
    return more > 0 ? [missedNotice(plan, { counter, count: more, at })] : [];
  });
  return seen.pausedByFailure && !told.pausedByFailure ? [...missed, pausedNotice(plan, seen, at)] : missed;
}

function missedNotice(
  plan: string,
  miss: { readonly counter: keyof typeof reasons; readonly count: number; readonly at: string },
): Notice {
  const { counter, count, at } = miss;
  const what =
    count === 1 ? `A drill of plan ${plan} was missed` : `${count} drills of plan ${plan} were missed`;
  return {
    key: `drillMissed\n${plan}\n${counter}\n${at}`,
    event: 'drillMissed',
    subject: what,
    text: [
      `${what}: ${reasons[counter]}.`,
      `Noticed: ${noticeTime(at)}`,
      '',
      'When the next one begins, and to begin one now:',
      `  switchback plan schedule ${plan}`,
      `  switchback plan schedule ${plan} --trigger`,
    ].join('\n'),
    about: { plans: [plan] },
  };
}

function pausedNotice(plan: string, { note }: ScheduleSeen, at: string): Notice {
  return {
    key: `drillMissed\n${plan}\npaused\n${at}`,
    event: 'drillMissed',
    subject: `Drills of plan ${plan} are paused: one has failed`,
    text: [
      `No further drill of plan ${plan} begins by itself until somebody resumes its schedule.`,
      `Noticed: ${noticeTime(at)}`,
      `Why: ${note}`,
      '',
      'What became of the last ones, and to go on once that is settled:',
      '  switchback job list',
      `  switchback plan schedule ${plan} --resume`,
    ].join('\n'),
    about: { plans: [plan] },
  };
}
