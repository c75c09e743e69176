import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { mergePages, type Page } from '../../../providers/vsphere/changed-areas.ts';
import { collect } from './practice-vcenter.ts';

const SECTORS = 200;
const CAPACITY = SECTORS * 512;

test('pages of any size and areas in any order become the same ascending extents', async () => {
  const sectors = fc.uniqueArray(fc.nat(SECTORS - 1), { maxLength: 120 });
  const property = fc.asyncProperty(
    sectors,
    fc.integer({ min: 1, max: 60 }),
    async (changed, pageSectors) => {
      const ask = async (startOffset: number): Promise<Page> => {
        const length = Math.min(pageSectors * 512, CAPACITY - startOffset);
        const inPage = changed.filter((s) => s * 512 >= startOffset && s * 512 < startOffset + length);
        return { startOffset, length, changedArea: inPage.map((s) => ({ start: s * 512, length: 512 })) };
      };
      const extents = await collect(mergePages(CAPACITY, ask));
      const covered = extents.flatMap(({ offset, length }) =>
        Array.from({ length: length / 512 }, (_, index) => offset / 512 + index),
      );
      expect(covered).toEqual(changed.toSorted((a, b) => a - b));
      extents.slice(1).forEach(({ offset }, index) => {
        const before = extents[index];
        expect(offset).toBeGreaterThan((before?.offset ?? 0) + (before?.length ?? 0));
      });
    },
  );
  await fc.assert(property);
});

test('areas that overlap, are not whole sectors or pass the end are widened, joined and cut', async () => {
  const page = {
    startOffset: 0,
    length: 1_000_000,
    changedArea: [
      { start: 1000, length: 100 },
      { start: 4096, length: 2048 },
      { start: 5000, length: 10 },
      { start: CAPACITY - 100, length: 5000 },
    ],
  };
  expect(await collect(mergePages(CAPACITY, async () => page))).toEqual([
    { offset: 512, length: 1024 },
    { offset: 4096, length: 2048 },
    { offset: CAPACITY - 512, length: 512 },
  ]);
});

test('an area that a page names beyond its own end is neither lost nor swallows those before it', async () => {
  const area = (sector: number, sectors = 1) => ({ start: sector * 512, length: sectors * 512 });
  const pages = [
    { startOffset: 0, length: 10 * 512, changedArea: [area(2), area(9, 3), area(50)] },
    { startOffset: 10 * 512, length: 20 * 512, changedArea: [area(11, 2), area(20)] },
    { startOffset: 30 * 512, length: 170 * 512, changedArea: [area(40)] },
  ];
  expect(await collect(mergePages(CAPACITY, async () => pages.shift()))).toEqual([
    { offset: 2 * 512, length: 512 },
    { offset: 9 * 512, length: 4 * 512 },
    { offset: 20 * 512, length: 512 },
    { offset: 40 * 512, length: 512 },
    { offset: 50 * 512, length: 512 },
  ]);
});

const believable = { startOffset: 0, length: CAPACITY, changedArea: [{ start: 512, length: 512 }] };

test.each([
  ['that is empty', { ...believable, length: 0 }],
  ['that begins behind what was asked for', { ...believable, startOffset: 512 }],
  ['with a negative offset', { ...believable, startOffset: -512 }],
  ['with half a byte', { ...believable, length: 1024.5 }],
  ['with an area of negative length', { ...believable, changedArea: [{ start: 512, length: -512 }] }],
  ['with an area that is not a number', { ...believable, changedArea: [{ start: 'x', length: 512 }] }],
  ['without a length', { startOffset: 0 }],
])('a page %s is not believed', async (_what, page) => {
  expect(await collect(mergePages(CAPACITY, async () => believable))).toHaveLength(1);
  await expect(collect(mergePages(CAPACITY, async () => page))).rejects.toMatchObject({ fault: 'FileFault' });
});

test('a second page that leaves bytes out or goes back is not believed', async () => {
  for (const startOffset of [0, 2048]) {
    const pages = [
      { startOffset: 0, length: 1024 },
      { startOffset, length: 1024 },
    ];
    const ask = async () => pages.shift();
    await expect(collect(mergePages(CAPACITY, ask))).rejects.toMatchObject({ fault: 'FileFault' });
  }
});
