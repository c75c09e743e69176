import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  coalesceExtents,
  extentEnd,
  intersectExtent,
  splitExtent,
  subtractExtents,
  totalBytes,
} from '../../domain/extents.ts';
import type { Extent } from '../../domain/replication.ts';

const extent = fc.record({ offset: fc.nat(200), length: fc.integer({ min: 1, max: 40 }) });
const extents = fc.array(extent, { maxLength: 12 });

/** The same thing the slow way: a set of positions. */
function positions(list: readonly Extent[]): Set<number> {
  return new Set(list.flatMap(({ offset, length }) => Array.from({ length }, (_unused, at) => offset + at)));
}

test('coalescing without a gap keeps exactly the same bytes, sorted and apart', () => {
  fc.assert(
    fc.property(extents, (list) => {
      const joined = coalesceExtents(list, 0);
      expect(positions(joined)).toEqual(positions(list));
      for (const [index, next] of joined.entries()) {
        const last = joined[index - 1];
        if (last !== undefined) expect(next.offset).toBeGreaterThan(extentEnd(last));
      }
    }),
  );
});

test('coalescing with a gap loses no byte and leaves only gaps that are greater', () => {
  fc.assert(
    fc.property(extents, fc.nat(30), (list, gap) => {
      const joined = coalesceExtents(list, gap);
      const held = positions(joined);
      expect([...positions(list)].every((position) => held.has(position))).toBe(true);
      for (const [index, next] of joined.entries()) {
        const last = joined[index - 1];
        if (last !== undefined) expect(next.offset - extentEnd(last)).toBeGreaterThan(gap);
      }
    }),
  );
});

test('what is subtracted and what is left make up the range', () => {
  fc.assert(
    fc.property(extent, extents, (range, list) => {
      const apart = coalesceExtents(list, 0);
      const left = subtractExtents(range, apart);
      const covered = apart.map((one) => intersectExtent(one, range)).filter((one) => one !== null);
      expect(totalBytes(left) + totalBytes(covered)).toBe(range.length);
      expect(positions([...left, ...covered])).toEqual(positions([range]));
    }),
  );
});

test('splitting cuts at multiples of the step and nowhere else', () => {
  fc.assert(
    fc.property(extent, fc.integer({ min: 1, max: 16 }), (whole, step) => {
      const parts = [...splitExtent(whole, step)];
      expect(positions(parts)).toEqual(positions([whole]));
      for (const part of parts.slice(1)) expect(part.offset % step).toBe(0);
      for (const part of parts) expect(part.length).toBeLessThanOrEqual(step);
    }),
  );
});
