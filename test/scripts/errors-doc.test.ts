import { readFile } from 'node:fs/promises';
import { expect, test } from '@jest/globals';
import { errorCatalogue } from '../../domain/errors.ts';
import { renderErrorsDoc } from '../../scripts/errors-doc.ts';

test('docs/errors.md says what the error catalogue says', async () => {
  const page = renderErrorsDoc();
  for (const code of Object.keys(errorCatalogue)) expect(page).toContain(`## ${code}\n`);
  expect(await readFile('docs/errors.md', 'utf8')).toBe(page);
});
