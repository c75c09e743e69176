import { expect, test } from '@jest/globals';
import { missesOf, noticesOfSchedule, type ScheduleSeen } from '../../../domain/plan/missed-drills.ts';

const at = '2026-11-21T10:00:00.000Z';
const schedule = (over: Partial<ScheduleSeen> = {}): ScheduleSeen => ({
  missed: 0,
  skipped: 0,
  pausedByFailure: false,
  note: '',
  ...over,
});

test('every drill that did not run is told once, with why', () => {
  expect(noticesOfSchedule('shop', schedule(), schedule(), at)).toEqual([]);
  const seen = schedule({ missed: 2, skipped: 1 });
  expect(noticesOfSchedule('shop', schedule(), seen, at)).toMatchObject([
    {
      event: 'drillMissed',
      subject: 'A drill of plan shop was missed',
      text: expect.stringContaining('the drill before was still running'),
    },
    {
      event: 'drillMissed',
      subject: '2 drills of plan shop were missed',
      text: expect.stringContaining('nobody was there'),
    },
  ]);
  expect(noticesOfSchedule('shop', seen, seen, at)).toEqual([]);
  expect(noticesOfSchedule('shop', seen, schedule({ missed: 3, skipped: 1 }), at)).toHaveLength(1);
});

test('of a schedule that is seen for the first time only that it is paused is told', () => {
  expect(noticesOfSchedule('shop', undefined, schedule({ missed: 7, skipped: 2 }), at)).toEqual([]);
  const paused = schedule({ missed: 7, pausedByFailure: true });
  expect(noticesOfSchedule('shop', undefined, paused, at)).toMatchObject([
    { subject: 'Drills of plan shop are paused: one has failed' },
  ]);
});

test('a schedule that was made anew tells nothing, one that a failure pauses tells once', () => {
  expect(noticesOfSchedule('shop', schedule({ missed: 7 }), schedule(), at)).toEqual([]);
  const paused = schedule({ pausedByFailure: true, note: 'paused due to workflow failure: x' });
  expect(noticesOfSchedule('shop', schedule(), paused, at)).toMatchObject([
    { text: expect.stringContaining('switchback plan schedule shop --resume') },
  ]);
  expect(noticesOfSchedule('shop', paused, paused, at)).toEqual([]);
});

test('misses are counted by reason, with when the last one was as far as it is known', () => {
  const blackout = (day: number) => ({ at: `2026-11-${day}T03:00:00.000Z`, why: 'in the blackout' });
  expect(missesOf(schedule({ skipped: 2 }), [blackout(14), blackout(21), blackout(10)])).toEqual([
    { why: 'the drill before was still running', count: 2 },
    { why: 'in the blackout', count: 3, lastAt: '2026-11-21T03:00:00.000Z' },
  ]);
});
