import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { coalesceExtents } from '../../../domain/extents.ts';
import { createDataMap } from '../../../providers/azure/cloud/data-map.ts';
import { parsePageList } from '../../../providers/azure/cloud/page-list.ts';
import { GiB, KiB } from '../../../domain/units.ts';
import { never } from './support/runs.ts';

const listOf = (...elements: readonly string[]) =>
  `\uFEFF<?xml version="1.0" encoding="utf-8"?><PageList>${elements.join('')}</PageList>`;
const range = (name: string, start: number, end: number) =>
  `<${name}><Start>${start}</Start><End>${end}</End></${name}>`;

describe('a list of page ranges', () => {
  test('holds cleared ranges among those with data, in order, with both ends counted in', () => {
    const text = listOf(
      range('PageRange', 0, 511),
      range('PageRange', 4096, 8191),
      range('ClearRange', 512, 1023),
      range('ClearRange', 16_384, 16_895),
    );
    expect(parsePageList(text)).toEqual({
      extents: [
        { offset: 0, length: 1024 },
        { offset: 4096, length: 4096 },
        { offset: 16_384, length: 512 },
      ],
      marker: null,
    });
  });

  test('says when there is more, and is empty when nothing changed', () => {
    const more = listOf(range('PageRange', 0, 511), '<NextMarker>from!512</NextMarker>');
    expect(parsePageList(more)?.marker).toBe('from!512');
    const done = { extents: [], marker: null };
    expect(parsePageList(listOf('<NextMarker />'))).toEqual(done);
    expect(parsePageList('<?xml version="1.0"?>\n<PageList />')).toEqual(done);
  });

  test('that is cut off, damaged or something else is no list', () => {
    const whole = listOf(range('PageRange', 0, 511), range('ClearRange', 1024, 2047));
    for (let length = 0; length < whole.length; length += 1) {
      expect(parsePageList(whole.slice(0, length))).toBeNull();
    }
    for (const damaged of [
      whole.replace('<Start>0</Start>', '<Start>x</Start>'),
      whole.replace('<End>511</End>', ''),
      whole.replace('ClearRange', 'OtherRange'),
      listOf(range('PageRange', 1024, 511)),
      '<Error><Code>ServerBusy</Code></Error>',
    ]) {
      expect(parsePageList(damaged)).toBeNull();
    }
  });
});

describe('the map of data', () => {
  const extents = fc
    .array(
      fc.record({
        offset: fc.integer({ min: 0, max: (40 * GiB) / 512 - 1 }).map((page) => page * 512),
        length: fc.integer({ min: 1, max: 4 * 1024 * 1024 }).map((pages) => pages * 512),
      }),
      { maxLength: 30 },
    )
    .map((found) => coalesceExtents(found, 0));
  const capacityBytes = 44 * GiB;

  test('covers all data of a range and nothing outside it, whatever was asked before', async () => {
    await fc.assert(
      fc.asyncProperty(extents, fc.array(extents, { maxLength: 3 }), async (data, questions) => {
        let looks = 0;
        const map = createDataMap(capacityBytes, async function* (window) {
          looks += 1;
          const end = window.offset + window.length;
          yield data
            .filter((each) => each.offset < end && each.offset + each.length > window.offset)
            .map((each) => {
              const offset = Math.max(each.offset, window.offset);
              return { offset, length: Math.min(each.offset + each.length, end) - offset };
            });
        });
        for (const asked of questions.flat()) {
          const found = await map.within(asked, never);
          expect(coalesceExtents(found, 0)).toEqual(found);
          for (const part of found) {
            expect(part.offset).toBeGreaterThanOrEqual(asked.offset);
            expect(part.offset + part.length).toBeLessThanOrEqual(asked.offset + asked.length);
          }
          for (const each of data) {
            const offset = Math.max(each.offset, asked.offset);
            const end = Math.min(each.offset + each.length, asked.offset + asked.length);
            if (offset >= end) continue;
            const holder = found.find((part) => part.offset <= offset && part.offset + part.length >= end);
            expect(holder).toBeDefined();
          }
        }
        expect(looks).toBeLessThanOrEqual(11 * questions.flat().length);
      }),
      { numRuns: 60 },
    );
  });

  test('looks a window up once for many questions, and again when the look failed', async () => {
    let looks = 0;
    const map = createDataMap(8 * GiB, async function* () {
      looks += 1;
      if (looks === 1) throw new Error('no answer');
      yield [{ offset: 0, length: KiB }];
    });
    const ask = () => map.within({ offset: 0, length: 4 * KiB }, never);
    await expect(ask()).rejects.toThrow('no answer');
    const answers = await Promise.all([ask(), ask(), ask()]);
    expect(answers).toEqual(answers.map(() => [{ offset: 0, length: KiB }]));
    expect(looks).toBe(2);
  });
});
