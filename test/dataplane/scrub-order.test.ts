/** Which blocks of a disk are looked at when: everything once a pass, in an order that only the key tells. */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { dueBlocks, scrubBlockBytes } from '../../dataplane/scrub/block-order.ts';
import { GiB, KiB, MiB } from '../../domain/units.ts';

const DAY_MS = 86_400_000;
const key = Buffer.alloc(32, 7);
const unbounded = { percentPerDay: 1.5, blocksMax: Infinity };

test('cut anywhere, the stretches of a pass cover every block exactly once', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 3_000 }),
      fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 40 }),
      fc.double({ min: 0.1, max: 100, noNaN: true }),
      (blockCount, cuts, percentPerDay) => {
        const passMs = (100 / percentPerDay) * DAY_MS;
        // Half a block beyond both ends, so that no rounding of the clock moves a block to another pass.
        const half = passMs / blockCount / 2;
        const times = [0, 1, ...cuts]
          .toSorted((a, b) => a - b)
          .map((share) => 7 * passMs + half + share * passMs);
        const covered = times.slice(1).flatMap((toMs, index) => {
          const fromMs = times[index] ?? 0;
          return dueBlocks(key, blockCount, { ...unbounded, percentPerDay, fromMs, toMs }).blocks;
        });
        expect(covered.toSorted((a, b) => a - b)).toEqual(Array.from({ length: blockCount }, (_, n) => n));
      },
    ),
    { numRuns: 50 },
  );
});

test('a day is its percentage of the disk, whatever the interval', () => {
  const blockCount = (64 * GiB) / scrubBlockBytes(64 * GiB);
  const start = Date.parse('2026-11-21T10:00:00Z');
  const everyMs = 300_000;
  const cycles = Array.from({ length: DAY_MS / everyMs }, (_, n) =>
    dueBlocks(key, blockCount, {
      ...unbounded,
      fromMs: start + n * everyMs,
      toMs: start + (n + 1) * everyMs,
    }),
  );
  const total = cycles.reduce((sum, { blocks }) => sum + blocks.length, 0);
  expect(Math.abs(total - blockCount * 0.015)).toBeLessThanOrEqual(1);
});

test('another pass and another key have another order, and a long outage is cut to its end', () => {
  const whole = (seed: Buffer, pass: number) => {
    const toMs = (100 / 1.5) * DAY_MS * (pass + 1) - 1;
    return dueBlocks(seed, 1_000, { ...unbounded, fromMs: 0, toMs, blocksMax: 100 }).blocks;
  };
  expect(whole(key, 3)).toHaveLength(100);
  expect(whole(key, 3)).toEqual(whole(key, 3));
  expect(whole(key, 3)).not.toEqual(whole(key, 4));
  expect(whole(key, 3)).not.toEqual(whole(Buffer.alloc(32, 8), 3));
});

test('a block is 64 KiB on a small disk and 1 MiB on a large one', () => {
  expect([MiB, 16 * GiB, 17 * GiB, 256 * GiB, 4_096 * GiB].map(scrubBlockBytes)).toEqual([
    64 * KiB,
    64 * KiB,
    128 * KiB,
    MiB,
    MiB,
  ]);
});
