/** How fast a site may send at a time: a weekly schedule in wall-clock time of a zone. */

/** Bytes per second. */
export type Rate = number | 'unlimited' | 'paused';

export const WEEKDAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;
export type Weekday = (typeof WEEKDAYS)[number];

export const DAY_MINUTES = 24 * 60;

export interface ThrottleWindow {
  /** Days on which the window begins. */
  readonly days: readonly Weekday[];
  /** Minutes since midnight. */
  readonly fromMinute: number;
  /** Minutes since midnight, at most 1440; not after `fromMinute`: the window ends on the next day. */
  readonly toMinute: number;
  readonly rate: Rate;
  /** IANA name. */
  readonly timeZone: string;
}

export interface ThrottleSchedule {
  /** Outside every window. */
  readonly rate: Rate;
  /** The first one that holds counts. */
  readonly windows: readonly ThrottleWindow[];
}

export const UNTHROTTLED: ThrottleSchedule = { rate: 'unlimited', windows: [] };

const MINUTE_MS = 60_000;
/** Clocks change on quarters of an hour: no step may jump over one. */
const STEP_MS = 15 * MINUTE_MS;
const SEARCH_MS = 8 * 24 * 60 * MINUTE_MS;

/**
 * What a wall clock in the window's zone shows decides: of an hour that a clock change leaves out nothing is in force,
 * an hour that comes twice is in force twice.
 */
export function rateAt(schedule: ThrottleSchedule, atMs: number): Rate {
  const window = schedule.windows.find((each) => holds(each, localTime(each.timeZone, atMs)));
  return window?.rate ?? schedule.rate;
}

/** When the rate of `atMs` ends, to the minute; null: not within eight days, it always holds. */
export function rateEndsAt(schedule: ThrottleSchedule, atMs: number): number | null {
  const rate = rateAt(schedule, atMs);
  const minute = atMs - (atMs % MINUTE_MS);
  for (let at = nextLook(schedule, minute); at <= minute + SEARCH_MS; at = nextLook(schedule, at)) {
    if (rateAt(schedule, at) !== rate) return at;
  }
  return null;
}

interface LocalTime {
  /** 0 is Monday. */
  readonly day: number;
  readonly minute: number;
}

function holds({ days, fromMinute, toMinute }: ThrottleWindow, { day, minute }: LocalTime): boolean {
  const beginsOn = (index: number) => days.includes(WEEKDAYS[(index + 7) % 7] ?? 'mon');
  if (fromMinute < toMinute) return beginsOn(day) && minute >= fromMinute && minute < toMinute;
  return (beginsOn(day) && minute >= fromMinute) || (beginsOn(day - 1) && minute < toMinute);
}

/** The next instant at which an edge of a window or a change of a clock may lie. */
function nextLook({ windows }: ThrottleSchedule, at: number): number {
  const steps = windows.flatMap(({ timeZone, fromMinute, toMinute }) => {
    const { minute } = localTime(timeZone, at);
    return [fromMinute, toMinute, DAY_MINUTES].map((edge) => (edge - minute) * MINUTE_MS);
  });
  return at + Math.min(STEP_MS - (at % STEP_MS), ...steps.filter((step) => step > 0));
}

const clocks = new Map<string, Intl.DateTimeFormat>();

function localTime(timeZone: string, atMs: number): LocalTime {
  let clock = clocks.get(timeZone);
  if (clock === undefined) {
    const shown = { weekday: 'short', hour: '2-digit', minute: '2-digit', hourCycle: 'h23' } as const;
    clock = new Intl.DateTimeFormat('en-US', { timeZone, ...shown });
    clocks.set(timeZone, clock);
  }
  const parts = new Map(clock.formatToParts(atMs).map(({ type, value }) => [type, value]));
  const name = (parts.get('weekday') ?? '').toLowerCase();
  return {
    day: WEEKDAYS.findIndex((day) => day === name),
    minute: Number(parts.get('hour')) * 60 + Number(parts.get('minute')),
  };
}
