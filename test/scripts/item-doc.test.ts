import { readFile } from 'node:fs/promises';
import { expect, test } from '@jest/globals';
import { itemOperations, itemStates } from '../../domain/protected-item.ts';
import { ITEM_DOC, renderItemDoc } from '../../scripts/item-doc.ts';

test('docs/protected-item.md says what the state table says', async () => {
  const page = await readFile(ITEM_DOC, 'utf8');
  for (const state of itemStates) expect(page).toContain(`| \`${state}\` |`);
  for (const operation of itemOperations) expect(page).toContain(`| \`${operation}\` |`);
  expect(renderItemDoc(page)).toBe(page);
});

test('a page that has lost its markers is refused, not overwritten', () => {
  expect(() => renderItemDoc('# Protected items\n')).toThrow('lost its markers');
});
