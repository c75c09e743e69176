import { expect, test } from '@jest/globals';
import { worstSeconds } from '../../bench/site/rpo.ts';

const point = (sourceSeconds: number, durableSeconds: number) => ({
  sourceAt: sourceSeconds * 1_000,
  durableAt: durableSeconds * 1_000,
});
const window = { from: 100_000, to: 200_000 };

test('the worst moment is just before the next state is durable', () => {
  expect(worstSeconds([point(150, 152), point(90, 91), point(120, 130)], window)).toBe(50);
});

test('what came to an end before the window does not count, what goes on after it counts until its end', () => {
  expect(worstSeconds([point(10, 11), point(95, 96), point(190, 191)], window)).toBe(96);
  expect(worstSeconds([point(10, 11), point(20, 99), point(99, 100), point(170, 171)], window)).toBe(80);
});

test('a machine without points has none', () => {
  expect(worstSeconds([], window)).toBe(0);
});
