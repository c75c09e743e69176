import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { RetainedPoint } from '../../domain/retention.ts';
import { pointsToPrune, undecidedPoints } from '../../domain/retention.ts';

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;
const NOW_MS = Date.UTC(2030, 5, 1);

function point(
  barrierNumber: number,
  timeMs: number,
  consistency: RetainedPoint['consistency'] = 'crash',
): RetainedPoint {
  return { barrierNumber, sourceTime: new Date(timeMs).toISOString(), consistency };
}

function aged(barrierNumber: number, ageHours: number, consistency?: RetainedPoint['consistency']) {
  return point(barrierNumber, NOW_MS - ageHours * HOUR_MS, consistency);
}

function kept(points: readonly RetainedPoint[], retentionHours: number, nowMs: number): RetainedPoint[] {
  const pruned = new Set(pointsToPrune(points, { retentionHours }, nowMs));
  return points.filter((one) => !pruned.has(one));
}

const numbers = (points: readonly RetainedPoint[]) => points.map((one) => one.barrierNumber);

/** Minutes between points, and which of them are application-consistent. */
const schedule = fc
  .array(fc.record({ minutes: fc.integer({ min: 1, max: 700 }), isApp: fc.boolean() }), {
    minLength: 1,
    maxLength: 120,
  })
  .map((steps) => {
    let timeMs = NOW_MS;
    return steps
      .map(({ minutes, isApp }, index) => {
        timeMs -= minutes * MINUTE_MS;
        return point(steps.length - index, timeMs, isApp ? 'application' : 'crash');
      })
      .toReversed();
  });
const retention = fc.constantFrom(0, 1, 2, 3, 24, 25, 72, 168, 169, 360, 8760);

describe('a point every five minutes', () => {
  test.each([
    [2, 24],
    [24, 46],
    [168, 107],
    [360, 155],
  ])('and %i h of retention keep as many points as Site Recovery: %i', (retentionHours, expected) => {
    const warmUp = retentionHours * 12;
    const all: RetainedPoint[] = [];
    let points: RetainedPoint[] = [];
    const counts = new Set<number>();
    let nowMs = NOW_MS;
    for (let step = 0; step < warmUp + 8 * 12; step += 1) {
      const next = point(step + 1, NOW_MS + step * 5 * MINUTE_MS);
      all.push(next);
      points.push(next);
      // Seldom at first: how often points are pruned makes no difference.
      if (step < warmUp && step % 50 !== 0) continue;
      nowMs = Date.parse(next.sourceTime) + (step % 5) * MINUTE_MS;
      points = kept(points, retentionHours, nowMs);
      if (step >= warmUp) counts.add(points.length);
    }
    expect([...counts]).toEqual([expected]);
    expect(numbers(points)).toEqual(numbers(kept(all, retentionHours, nowMs)));
  });
});

test('points older than the retention go, oldest first', () => {
  const points = [aged(3, 1), aged(1, 30), aged(2, 25), aged(4, 0)];
  expect(numbers(pointsToPrune(points, { retentionHours: 24 }, NOW_MS))).toEqual([1, 2]);
});

test('a point exactly as old as the retention goes', () => {
  expect(numbers(pointsToPrune([aged(1, 2), aged(2, 0)], { retentionHours: 2 }, NOW_MS))).toEqual([1]);
});

test('no retention keeps the newest point only', () => {
  expect(numbers(kept([aged(1, 2), aged(2, 0.1), aged(3, 0.05)], 0, NOW_MS))).toEqual([3]);
});

test('an application-consistent point is preferred inside its bucket, also before it is judged itself', () => {
  const crash = aged(1, 3.9);
  const app = aged(2, 3.6, 'application');
  const laterApp = aged(3, 3.2, 'application');
  const newest = aged(4, 0);
  expect(numbers(kept([crash, app, laterApp, newest], 24, NOW_MS))).toEqual([2, 4]);
  const early = NOW_MS - 1.7 * HOUR_MS;
  expect(numbers(kept([crash, app, laterApp, newest], 24, early))).toEqual([2, 3, 4]);
});

describe('any schedule', () => {
  test('keeps the newest point, every point of the last two hours, and nothing beyond the retention', () => {
    fc.assert(
      fc.property(schedule, retention, (points, retentionHours) => {
        const left = new Set(kept(points, retentionHours, NOW_MS));
        for (const one of points) {
          const ageHours = (NOW_MS - Date.parse(one.sourceTime)) / HOUR_MS;
          if (one === points.at(-1)) expect(left.has(one)).toBe(true);
          else if (ageHours >= retentionHours) expect(left.has(one)).toBe(false);
          else if (ageHours < 2) expect(left.has(one)).toBe(true);
        }
      }),
    );
  });

  test('pruned twice is pruned once', () => {
    fc.assert(
      fc.property(schedule, retention, (points, retentionHours) => {
        const once = kept(points, retentionHours, NOW_MS);
        expect(kept(once, retentionHours, NOW_MS)).toEqual(once);
      }),
    );
  });

  test('what was kept for a bucket is not given up for a worse or later point', () => {
    fc.assert(
      fc.property(
        schedule,
        fc.constantFrom(24, 168, 360),
        fc.integer({ min: 1, max: 90 }),
        (points, hours, laterHours) => {
          const first = kept(points, hours, NOW_MS);
          const later = NOW_MS + laterHours * HOUR_MS;
          const second = kept(first, hours, later);
          // All at once or step by step: the same points, as long as they are inside the retention.
          const inside = (one: RetainedPoint) => later - Date.parse(one.sourceTime) < (hours - 4) * HOUR_MS;
          expect(numbers(second.filter(inside))).toEqual(numbers(kept(points, hours, later).filter(inside)));
        },
      ),
    );
  });

  test('never leaves a hole: within each bucket of the retention that had a point, one stays', () => {
    fc.assert(
      fc.property(schedule, fc.constantFrom(24, 168, 360), (points, hours) => {
        const bucketOf = (one: RetainedPoint) => Math.floor(Date.parse(one.sourceTime) / (4 * HOUR_MS));
        const left = new Set(kept(points, hours, NOW_MS).map(bucketOf));
        for (const one of points) {
          const isInside = NOW_MS - Date.parse(one.sourceTime) < (hours - 4) * HOUR_MS;
          if (isInside) expect(left.has(bucketOf(one))).toBe(true);
        }
      }),
    );
  });

  test('is decided the same when only the undecided points are looked at', () => {
    fc.assert(
      fc.property(schedule, retention, (points, retentionHours) => {
        const undecided = new Set(undecidedPoints(points, { retentionHours }, NOW_MS));
        const known = points.map((one) =>
          undecided.has(one) ? one : { ...one, consistency: 'crash' as const },
        );
        expect(numbers(kept(known, retentionHours, NOW_MS))).toEqual(
          numbers(kept(points, retentionHours, NOW_MS)),
        );
      }),
    );
  });
});
