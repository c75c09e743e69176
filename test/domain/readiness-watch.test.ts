import { expect, test } from '@jest/globals';
import { lookAgain, type ReadinessSeen, type ReadinessTold } from '../../domain/readiness-watch.ts';

const reason = (message: string, since: string) => ({ code: 'X', message, remedy: 'Do it.', since });
const seen = (
  name: string,
  ready: ReadinessSeen['ready'],
  over: Partial<ReadinessSeen> = {},
): ReadinessSeen => ({
  subject: `item/${name}`,
  kind: 'machine',
  name,
  ready,
  reasons: ready === true ? [] : [reason('vCenter does not answer', '2026-11-21T09:00:00.000Z')],
  ...over,
});

/** One look after the other, each remembering what the one before has told. */
function watching() {
  const told = new Map<string, ReadinessTold>();
  let minute = 0;
  return (...all: ReadinessSeen[]) => {
    minute += 1;
    const look = lookAgain(told, all, new Date(Date.UTC(2026, 10, 21, 10, minute)).toISOString());
    for (const [subject, state] of look.told) {
      if (state === null) told.delete(subject);
      else told.set(subject, state);
    }
    return look.notices;
  };
}

test('lost and regained are told once each, when two looks in a row agree', () => {
  const look = watching();
  expect(look(seen('web', true))).toEqual([]);
  expect(look(seen('web', false))).toEqual([]);
  expect(look(seen('web', false))).toMatchObject([
    {
      event: 'readinessLost',
      subject: 'Not ready any more: machine web',
      text: expect.stringContaining(
        'machine web\n    vCenter does not answer (since 2026-11-21 09:00:00 UTC)\n    Do it.\n',
      ),
      about: { machines: ['web'] },
    },
  ]);
  expect(look(seen('web', false))).toEqual([]);
  expect(look(seen('web', true))).toEqual([]);
  expect(look(seen('web', true))).toMatchObject([
    { event: 'readinessRegained', subject: 'Ready again: machine web' },
  ]);
  expect(look(seen('web', true))).toEqual([]);
});

test('what flaps is told of to nobody, nor what was never ready', () => {
  const look = watching();
  for (const ready of [true, false, true, false, true]) {
    expect(look(seen('web', ready), seen('new', false))).toEqual([]);
  }
});

test('what is being moved is looked at when that is over', () => {
  const look = watching();
  look(seen('web', true));
  for (let looks = 0; looks < 5; looks += 1) expect(look(seen('web', 'unsettled'))).toEqual([]);
  look(seen('web', false));
  expect(look(seen('web', false))).toHaveLength(1);
});

test('what is lost together is told together, and named up to a bound', () => {
  const look = watching();
  const all = (ready: boolean) => [
    seen('shop', ready, {
      subject: 'plan/shop',
      kind: 'plan',
      reasons: [{ ...reason('away', '2026-11-21T09:00:00.000Z'), machine: 'm-1' }],
    }),
    ...Array.from({ length: 30 }, (_, n) => seen(`m-${n}`, ready)),
  ];
  look(...all(true));
  look(...all(false));
  const [told, ...more] = look(...all(false));
  expect(more).toEqual([]);
  expect(told?.subject).toBe('Not ready any more: plan shop and 30 more');
  expect(told?.text).toContain('plan shop\n    m-1: away');
  expect(told?.text).toContain('  and 11 more\n');
});

test('what is gone is forgotten: protected anew, it begins anew', () => {
  const look = watching();
  look(seen('web', true));
  expect(look()).toEqual([]);
  expect(look(seen('web', false))).toEqual([]);
  expect(look(seen('web', false))).toEqual([]);
});
