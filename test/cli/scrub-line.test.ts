import { expect, test } from '@jest/globals';
import { scrubLine } from '../../cli/render/replication.ts';
import { GiB } from '../../domain/units.ts';

const scrub = {
  blocks: 3_000,
  bytes: 3 * GiB,
  differingBlocks: 0,
  lastAt: '2026-11-21T10:00:00.000Z',
  disks: [
    { diskId: 'a', pass: 7, comparedBlocks: 30, blocks: 100 },
    { diskId: 'b', pass: 7, comparedBlocks: 0, blocks: 100 },
  ],
};
const lineOf = (over: Partial<typeof scrub> | { lastAt: null }) =>
  scrubLine([
    { activity: 'shipSession', attempt: 1 },
    { activity: 'applySession', attempt: 1, scrub: { ...scrub, ...over } },
  ]);

test('what was compared is said in one line, and nothing before the first comparison', () => {
  expect(lineOf({})).toBe('3 GiB compared, all equal · last 2026-11-21 10:00:00 UTC · 15 % of this pass');
  expect(lineOf({ differingBlocks: 2 })).toContain('2 blocks differed');
  expect(lineOf({ lastAt: null })).toBeUndefined();
  expect(scrubLine([{ activity: 'applySession', attempt: 1 }])).toBeUndefined();
});
