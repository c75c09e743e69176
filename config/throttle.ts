/** Leaf values of the throttle: rates, and the windows of a weekly schedule. */
import { parse as parseYaml } from 'yaml';
import { z } from 'zod';
import { DAY_MINUTES, WEEKDAYS, type Rate, type Weekday } from '../domain/throttle.ts';
import { KiB, MiB, GiB } from '../domain/units.ts';
import { leaf } from './values.ts';

const WINDOWS_MAX = 50;
/** Below it a request would end before its body. */
const RATE_MIN = 64 * KiB;
const perSecond = {
  'KiB/s': KiB,
  'MiB/s': MiB,
  'GiB/s': GiB,
  'kbit/s': 1e3 / 8,
  'Mbit/s': 1e6 / 8,
  'Gbit/s': 1e9 / 8,
} as const;

/** Bytes per second. */
export const rate = () =>
  leaf('`unlimited`, `paused`, or a rate of at least 64KiB/s such as 20MiB/s or 100Mbit/s', parseRate);

function parseRate(given: string): Rate | undefined {
  if (given === 'unlimited' || given === 'paused') return given;
  const [, amount, unit] = /^(\d+(?:\.\d+)?) ?([KMG]iB\/s|[kMG]bit\/s)$/.exec(given) ?? [];
  const bytes = Math.round(Number(amount) * perSecond[unit as keyof typeof perSecond]);
  return bytes >= RATE_MIN ? bytes : undefined;
}

export const timeZone = () =>
  leaf('a time zone such as Europe/Berlin', (given) => {
    try {
      return new Intl.DateTimeFormat('en-US', { timeZone: given }).resolvedOptions().timeZone;
    } catch {
      return undefined;
    }
  });

const clockTime = () =>
  leaf('a time from 00:00 to 24:00', (given) => {
    const [, hours, minutes] = /^(\d{1,2}):([0-5]\d)$/.exec(given) ?? [];
    const minute = Number(hours) * 60 + Number(minutes);
    return minute <= DAY_MINUTES ? minute : undefined;
  });

const days = () =>
  z.preprocess(
    (given) => (Array.isArray(given) ? given.join(',') : given),
    leaf(`days such as mon-fri or sat,sun (${WEEKDAYS.join(', ')})`, parseDays),
  );

function parseDays(given: string): readonly Weekday[] | undefined {
  const named = new Set<number>();
  for (const part of given.toLowerCase().split(',')) {
    const [first = '', last = first, ...more] = part.trim().split('-');
    const [from, to] = [indexOf(first), indexOf(last)];
    if (from === -1 || to === -1 || more.length > 0) return undefined;
    for (let day = from; day !== to; day = (day + 1) % WEEKDAYS.length) named.add(day);
    named.add(to);
  }
  return WEEKDAYS.filter((_, index) => named.has(index));
}

function indexOf(name: string): number {
  return WEEKDAYS.findIndex((day) => day === name.trim());
}

const windowSchema = z.strictObject({
  days: days(),
  from: clockTime(),
  to: clockTime(),
  rate: rate(),
  timeZone: timeZone().exactOptional(),
});

/** A list, or the same list as text. */
export const windows = () =>
  z.unknown().transform((given, context) => {
    const list = typeof given === 'string' ? fromText(given) : given;
    if (Array.isArray(list) && list.length <= WINDOWS_MAX)
      return list.map((each, at) => window(each, at, context));
    const wanted = `a list of at most ${WINDOWS_MAX} windows {days, from, to, rate}`;
    context.addIssue({ code: 'custom', message: `must be ${wanted}` });
    return z.NEVER;
  });

function fromText(text: string): unknown {
  try {
    return parseYaml(text);
  } catch {
    return undefined;
  }
}

function window(given: unknown, at: number, context: z.RefinementCtx) {
  const parsed = windowSchema.safeParse(given);
  const refuse = (message: string, path: readonly PropertyKey[] = []) => {
    context.addIssue({ code: 'custom', path: [at, ...path], message });
    return z.NEVER;
  };
  if (!parsed.success) {
    for (const issue of parsed.error.issues) refuse(wordsOf(issue), issue.path);
    return z.NEVER;
  }
  const { from, to, ...rest } = parsed.data;
  if (from === to) return refuse('must not end when it begins; a whole day is from 00:00 to 24:00');
  if (from === DAY_MINUTES) return refuse('must be before 24:00', ['from']);
  return { ...rest, fromMinute: from, toMinute: to };
}

function wordsOf(issue: z.core.$ZodIssue): string {
  if (issue.code === 'unrecognized_keys') {
    return `there is no ${issue.keys.join(', ')} here; here belong ${Object.keys(windowSchema.shape).join(', ')}`;
  }
  return issue.code === 'invalid_type' ? 'must be a mapping with days, from, to, rate' : issue.message;
}
