import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { layersOf, orderProblems, readyGroups, waitsOf } from '../../../domain/plan/order.ts';
import type { PlanGroup } from '../../../domain/plan/plan.ts';

function group(name: string, ...after: string[]): PlanGroup {
  return { name, after, members: [], steps: { before: [], after: [] }, isConsistent: false };
}

/** Groups that only wait for earlier ones, in any order of the document. */
const plans = fc
  .array(fc.array(fc.nat(30), { maxLength: 4 }), { minLength: 1, maxLength: 30 })
  .chain((waits) => {
    const groups = waits.map((earlier, index) =>
      group(`g${index}`, ...new Set(earlier.filter((other) => other < index).map((other) => `g${other}`))),
    );
    return fc.shuffledSubarray(groups, { minLength: groups.length });
  });

describe('order of groups', () => {
  test('every group begins after those it waits for, and before them on the way home', () => {
    fc.assert(
      fc.property(plans, (groups) => {
        expect(orderProblems(groups)).toEqual([]);
        for (const direction of ['out', 'home'] as const) {
          const layers = layersOf(groups, direction);
          expect(layers.flat().toSorted()).toEqual(groups.map(({ name }) => name).toSorted());
          const layer = (name: string) => layers.findIndex((names) => names.includes(name));
          for (const { name, after } of groups) {
            for (const other of after) {
              const [first, second] = direction === 'out' ? [other, name] : [name, other];
              expect(layer(first)).toBeLessThan(layer(second));
            }
          }
        }
      }),
    );
  });

  test('a group is ready once, and only when nothing it waits for is open', () => {
    const waits = waitsOf([group('db'), group('app', 'db'), group('web', 'app', 'db')], 'out');
    expect(readyGroups(waits, new Set(), new Set())).toEqual(['db']);
    expect(readyGroups(waits, new Set(['db']), new Set())).toEqual([]);
    expect(readyGroups(waits, new Set(['db']), new Set(['db']))).toEqual(['app']);
    expect(readyGroups(waits, new Set(['db', 'app']), new Set(['db', 'app']))).toEqual(['web']);
  });

  test.each([
    ['a name used twice', [group('a'), group('a')], 'a', 'is named twice'],
    ['an unknown name', [group('a', 'b')], 'a', 'waits for "b", which is no group of the plan'],
    ['itself', [group('a', 'a')], 'a', 'waits for itself: a → a'],
    [
      'a circle',
      [group('x'), group('a', 'x', 'c'), group('b', 'a'), group('c', 'b')],
      'a',
      'waits for itself: a → c → b → a',
    ],
    [
      'a way into a circle',
      [group('in', 'a'), group('a', 'b'), group('b', 'a')],
      'a',
      'waits for itself: a → b → a',
    ],
  ])('%s is told', (_, groups, name, reason) => {
    expect(orderProblems(groups)).toEqual([{ group: name, reason }]);
  });
});
