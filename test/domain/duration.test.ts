import { expect, test } from '@jest/globals';
import { parseDurationMs, writtenDuration } from '../../domain/duration.ts';

test.each([
  ['250ms', 250],
  ['90s', 90_000],
  ['1.5h', 5_400_000],
  ['2d', 172_800_000],
  ['5', undefined],
  ['-5s', undefined],
  ['5 s', undefined],
])('the duration %s is %p milliseconds', (text, ms) => {
  expect(parseDurationMs(text)).toBe(ms);
});

test.each([
  [0, '0s'],
  [90, '90s'],
  [300, '5m'],
  [7_200, '2h'],
  [172_800, '2d'],
])('%p seconds are written %s, and read back', (seconds, text) => {
  expect(writtenDuration(seconds)).toBe(text);
  expect(parseDurationMs(text)).toBe(seconds * 1000);
});
