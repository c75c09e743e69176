import { readFile } from 'node:fs/promises';
import { expect, test } from '@jest/globals';
import { renderRunbooksDoc } from '../../scripts/runbooks-doc.ts';
import { runbooks } from '../../workflows/runbooks.ts';

test('docs/runbooks.md says what the runbooks say', async () => {
  const page = renderRunbooksDoc();
  for (const { steps } of Object.values(runbooks)) {
    for (const { id } of steps) expect(page).toContain(`| \`${id}\` |`);
  }
  expect(await readFile('docs/runbooks.md', 'utf8')).toBe(page);
});

test('a step is named once in its runbook', () => {
  const twice = Object.entries(runbooks).flatMap(([book, { steps }]) =>
    steps
      .filter(({ id }, index) => steps.findIndex((each) => each.id === id) !== index)
      .map(({ id }) => `${book}/${id}`),
  );
  expect(twice).toEqual([]);
});
