import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { asId } from '../../domain/ids.ts';
import { recoveryPointId } from '../../domain/names.ts';
import type { RecoveryPoint } from '../../domain/replication.ts';
import { pointsToPrune } from '../../domain/retention.ts';

const NOW_MS = Date.UTC(2030, 5, 1);

function point(barrierNumber: number, ageHours: number): RecoveryPoint {
  const time = new Date(NOW_MS - ageHours * 3_600_000).toISOString();
  return {
    version: 1,
    pointId: recoveryPointId(barrierNumber),
    itemId: asId('item'),
    barrierNumber,
    consistency: 'crash',
    sourceTime: time,
    durableTime: time,
    processedTime: time,
    snapshotName: `s${barrierNumber}`,
    disks: [],
  };
}

test('points older than the retention go, oldest first', () => {
  const points = [point(3, 1), point(1, 30), point(2, 25), point(4, 0)];
  const pruned = pointsToPrune(points, { retentionHours: 24 }, NOW_MS);
  expect(pruned.map((one) => one.barrierNumber)).toEqual([1, 2]);
});

test('a point exactly as old as the retention stays', () => {
  expect(pointsToPrune([point(1, 24), point(2, 0)], { retentionHours: 24 }, NOW_MS)).toEqual([]);
});

test('the newest point always stays, and whatever is young enough', () => {
  const ages = fc.array(fc.integer({ min: 0, max: 200 }), { minLength: 1, maxLength: 20 });
  fc.assert(
    fc.property(ages, fc.integer({ min: 0, max: 100 }), (list, retentionHours) => {
      const points = list.toSorted((a, b) => b - a).map((age, index) => point(index + 1, age));
      const pruned = new Set(pointsToPrune(points, { retentionHours }, NOW_MS));
      expect(pruned.has(points.at(-1) as RecoveryPoint)).toBe(false);
      for (const one of points) {
        const isYoung = NOW_MS - Date.parse(one.sourceTime) <= retentionHours * 3_600_000;
        if (isYoung) expect(pruned.has(one)).toBe(false);
      }
    }),
  );
});
