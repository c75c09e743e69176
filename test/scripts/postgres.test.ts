import { mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { imbalances, type Books } from '../../scripts/postgres/books.ts';
import { findings } from '../../scripts/postgres/filesystem.ts';
import { copyImages, sha256Of } from '../../scripts/postgres/images.ts';
import { parseAsked, wordsOf } from '../../scripts/postgres/options.ts';
import { Undo } from '../../scripts/postgres/undo.ts';

const books: Books = { transactions: 7, sums: ['5', '5', '5', '5'], markers: 3, lastMarker: 3 };
const expected = { transactions: 7, marker: 3 };

test('books that balance, with every marker that was due, hold', () => {
  expect(imbalances(books, expected)).toEqual([]);
});

test.each<[string, Partial<Books>, RegExp]>([
  ['a balance that differs', { sums: ['5', '5', '6', '5'] }, /branches 6/],
  ['a marker that is missing in between', { markers: 2 }, /1 of 3 are missing/],
  ['an acknowledged marker that is not there', { markers: 2, lastMarker: 2 }, /marker 3 was acknowledged/],
  ['fewer transactions than at the point before', { transactions: 6 }, /6 transactions, 7/],
])('%s does not hold', (_, change, problem) => {
  expect(imbalances({ ...books, ...change }, expected)).toEqual([expect.stringMatching(problem)]);
});

test('the recovery of a journal is no finding, and everything else is', () => {
  const recovered = [
    'e2fsck 1.47.0 (5-Feb-2023)',
    '0.img: recovering journal',
    'Clearing orphaned inode 1234 (uid=65534, gid=65534, mode=0100600, size=4194304)',
    'Pass 1: Checking inodes, blocks, and sizes',
    'Free blocks count wrong (296833, counted=210833).',
    'Fix? yes',
    '',
    '0.img: ***** FILE SYSTEM WAS MODIFIED *****',
    '0.img: 1011/81920 files (0.5% non-contiguous), 116847/327680 blocks',
  ];
  expect(findings(recovered.join('\n'))).toEqual([]);
  const broken = 'Free blocks count wrong for group #3 (1, counted=2).';
  expect(findings([...recovered, broken].join('\n'))).toEqual([broken]);
});

test('a sample is asked for again by the words that were chosen', () => {
  const asked = parseAsked(['--sample', '--seed', '9']);
  expect(asked).toEqual({ minutes: 0, points: 4, trials: 1, seed: 9, isSample: true });
  expect(parseAsked(wordsOf(asked))).toEqual(asked);
  expect(() => parseAsked(['--points', '2'])).toThrow('--points takes a whole number from 3 to 80');
});

test('a copy of an image has its bytes and leaves it alone', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'switchback-images-'));
  try {
    const file = join(folder, 'image');
    await writeFile(file, 'at the beginning');
    await truncate(file, 2 ** 20);
    const [copy = ''] = await copyImages([file], join(folder, 'copies'));
    expect(await sha256Of(copy)).toBe(await sha256Of(file));
    await writeFile(copy, 'changed');
    expect((await readFile(file, 'utf8')).startsWith('at the beginning')).toBe(true);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test('everything is taken back, the last first, whatever fails', async () => {
  const undo = new Undo();
  const taken: string[] = [];
  undo.add('first', async () => taken.push('first'));
  undo.add('second', () => Promise.reject(new Error('busy')));
  undo.add('third', async () => taken.push('third'));
  expect(await undo.all()).toEqual(['second: busy']);
  expect(taken).toEqual(['third', 'first']);
});
