import { describe, expect, test } from '@jest/globals';
import { rateAt, rateEndsAt, type ThrottleSchedule, type ThrottleWindow } from '../../domain/throttle.ts';

const window = (changes: Partial<ThrottleWindow>): ThrottleWindow => ({
  days: ['mon', 'tue', 'wed', 'thu', 'fri'],
  fromMinute: 8 * 60,
  toMinute: 18 * 60,
  rate: 1_000,
  timeZone: 'Europe/Berlin',
  ...changes,
});
const schedule = (...windows: readonly ThrottleWindow[]): ThrottleSchedule => ({
  rate: 'unlimited',
  windows,
});
const at = (iso: string) => Date.parse(iso);

describe('the weekly schedule', () => {
  test('a window holds by the clock of its zone, in summer and in winter', () => {
    const office = schedule(window({}));
    expect(rateAt(office, at('2026-01-05T06:59:00Z'))).toBe('unlimited');
    expect(rateAt(office, at('2026-01-05T07:00:00Z'))).toBe(1_000);
    expect(rateAt(office, at('2026-01-05T17:00:00Z'))).toBe('unlimited');
    expect(rateAt(office, at('2026-07-06T05:59:00Z'))).toBe('unlimited');
    expect(rateAt(office, at('2026-07-06T06:00:00Z'))).toBe(1_000);
    expect(rateAt(office, at('2026-01-04T12:00:00Z'))).toBe('unlimited');
  });

  test('a window over midnight belongs to the day on which it begins', () => {
    const night = schedule(window({ days: ['fri'], fromMinute: 22 * 60, toMinute: 6 * 60, timeZone: 'UTC' }));
    expect(rateAt(night, at('2026-01-09T22:00:00Z'))).toBe(1_000);
    expect(rateAt(night, at('2026-01-10T05:59:00Z'))).toBe(1_000);
    expect(rateAt(night, at('2026-01-10T06:00:00Z'))).toBe('unlimited');
    expect(rateAt(night, at('2026-01-09T05:00:00Z'))).toBe('unlimited');
    const sunday = schedule(
      window({ days: ['sun'], fromMinute: 22 * 60, toMinute: 6 * 60, timeZone: 'UTC' }),
    );
    expect(rateAt(sunday, at('2026-01-12T03:00:00Z'))).toBe(1_000);
  });

  test('the first window that holds counts', () => {
    const both = schedule(window({ rate: 'paused', fromMinute: 600, toMinute: 660 }), window({}));
    expect(rateAt(both, at('2026-01-05T09:30:00Z'))).toBe('paused');
    expect(rateAt(both, at('2026-01-05T08:30:00Z'))).toBe(1_000);
  });

  // Berlin, 29 March 2026: 02:00 is followed by 03:00; 25 October 2026: 02:00 to 03:00 comes twice.
  const early = { days: ['sun'] as const, fromMinute: 120, toMinute: 180 };

  test('an hour that the change of the clock leaves out is no time of a window', () => {
    const skipped = schedule(window(early));
    const minutes = Array.from(
      { length: 24 * 60 },
      (_, minute) => at('2026-03-28T23:00:00Z') + minute * 60_000,
    );
    expect(minutes.filter((ms) => rateAt(skipped, ms) === 1_000)).toEqual([]);
    expect(rateEndsAt(skipped, at('2026-03-28T23:00:00Z'))).toBe(at('2026-04-05T00:00:00Z'));
  });

  test('an hour that comes twice is in force twice', () => {
    const twice = schedule(window(early));
    const minutes = Array.from(
      { length: 25 * 60 },
      (_, minute) => at('2026-10-24T22:00:00Z') + minute * 60_000,
    );
    expect(minutes.filter((ms) => rateAt(twice, ms) === 1_000)).toHaveLength(120);
    expect(rateEndsAt(twice, at('2026-10-25T00:10:00Z'))).toBe(at('2026-10-25T02:00:00Z'));
  });

  test('a window across the change of the clock ends by the new time', () => {
    const across = schedule(window({ days: ['sat'], fromMinute: 22 * 60, toMinute: 6 * 60 }));
    expect(rateEndsAt(across, at('2026-03-28T21:30:00Z'))).toBe(at('2026-03-29T04:00:00Z'));
    expect(rateEndsAt(across, at('2026-10-24T20:30:00Z'))).toBe(at('2026-10-25T05:00:00Z'));
  });

  test('the end of a rate is the first minute with another one', () => {
    const odd = schedule(window({ fromMinute: 487, toMinute: 1_081, timeZone: 'Asia/Kathmandu' }));
    const start = at('2026-01-04T00:00:00Z');
    for (let ms = start; ms < start + 7 * 24 * 3_600_000; ms += 97 * 60_000) {
      const end = rateEndsAt(odd, ms) ?? 0;
      expect(rateAt(odd, end)).not.toBe(rateAt(odd, ms));
      expect(rateAt(odd, end - 60_000)).toBe(rateAt(odd, ms));
    }
  });

  test('a rate without end has none', () => {
    expect(rateEndsAt(schedule(), 0)).toBeNull();
    const allDay = window({
      days: ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'],
      fromMinute: 0,
      toMinute: 1_440,
    });
    expect(rateEndsAt(schedule(allDay), at('2026-03-28T00:00:00Z'))).toBeNull();
  });
});
