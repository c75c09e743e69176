import { expect, test } from '@jest/globals';
import { STANDARD_COMPRESSION, adaptCompression, levelOf } from '../../dataplane/ship/compression.ts';
import type { CompressionState } from '../../dataplane/ship/compression.ts';
import { MiB } from '../../domain/units.ts';

/** A segment after which things look the same, many times. */
function after(
  segments: number,
  backlogBytes: number,
  cpuIdleShare: number,
  from = STANDARD_COMPRESSION,
): CompressionState {
  let state = from;
  for (let count = 0; count < segments; count += 1) {
    state = adaptCompression(state, { backlogBytes, cpuIdleShare });
  }
  return state;
}

test.each([
  ['the link is behind and processors are idle', 64 * MiB, 0.5, 3],
  ['the link is behind and processors are busy', 64 * MiB, 0.1, 1],
  ['the link keeps up', 16 * MiB, 0.5, 1],
  ['the link waits and processors are idle', 0, 0.5, 1],
  ['the link waits and processors have no time', 0, 0.02, -5],
])('when %s', (_title, backlogBytes, cpuIdleShare, level) => {
  expect(levelOf(after(200, backlogBytes, cpuIdleShare))).toBe(level);
});

test('a few segments change nothing, and one that disagrees starts the count again', () => {
  const almost = after(15, 64 * MiB, 0.5);
  expect(levelOf(almost)).toBe(1);
  expect(levelOf(after(1, 64 * MiB, 0.5, almost))).toBe(3);
  const interrupted = after(15, 64 * MiB, 0.5, after(1, 16 * MiB, 0.5, almost));
  expect(levelOf(interrupted)).toBe(1);
});

test('a high level is left when processors have no time, though the link is behind', () => {
  const high = after(16, 64 * MiB, 0.5);
  expect(levelOf(after(200, 64 * MiB, 0.01, high))).toBe(1);
});
