import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { pointsNotLaterThan } from '../../../domain/plan/common-point.ts';
import { asId, type RecoveryPointId } from '../../../domain/ids.ts';

const at = (seconds: number) => new Date(Date.UTC(2026, 10, 21) + seconds * 1000).toISOString();
const point = (seconds: number) => ({
  pointId: asId<RecoveryPointId>(`p${String(seconds).padStart(6, '0')}`),
  sourceTime: at(seconds),
  consistency: 'crash' as const,
});

describe('points not later than a moment', () => {
  test('are the newest of each member up to it; who has none is named', () => {
    const members = [
      { machine: 'db', points: [point(10), point(70), point(40)] },
      { machine: 'app', points: [point(55), point(65)] },
      { machine: 'new', points: [point(61)] },
    ];
    const { chosen, without, spreadSeconds } = pointsNotLaterThan(members, at(60));
    expect(chosen.map(({ machine, pointId, olderBySeconds }) => [machine, pointId, olderBySeconds])).toEqual([
      ['db', 'p000040', 20],
      ['app', 'p000055', 5],
    ]);
    expect(without).toEqual(['new']);
    expect(spreadSeconds).toBe(15);
  });

  test('never lie behind the moment, and nothing between a chosen point and the moment was passed over', () => {
    const members = fc.array(fc.uniqueArray(fc.nat(1_000), { maxLength: 12 }), { maxLength: 6 });
    fc.assert(
      fc.property(members, fc.nat(1_000), (all, moment) => {
        const asked = all.map((seconds, index) => ({ machine: `m${index}`, points: seconds.map(point) }));
        const { chosen, without } = pointsNotLaterThan(asked, at(moment));
        expect(chosen.length + without.length).toBe(asked.length);
        for (const { machine, olderBySeconds } of chosen) {
          expect(olderBySeconds).toBeGreaterThanOrEqual(0);
          const seconds = all[Number(machine.slice(1))] ?? [];
          const newest = Math.max(...seconds.filter((each) => each <= moment));
          expect(olderBySeconds).toBe(moment - newest);
        }
      }),
    );
  });
});
