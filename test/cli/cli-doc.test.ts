import { readFile } from 'node:fs/promises';
import { expect, test } from '@jest/globals';
import { renderCliDoc } from '../../scripts/cli-doc.ts';

test('docs/cli.md is what the commands say of themselves, each with one full example', async () => {
  const page = renderCliDoc();
  const sections = page.split('\n## ').slice(1);
  expect(sections.length).toBeGreaterThan(20);
  for (const section of sections) expect(section.match(/Example:\n {2}\$ switchback /g)).toHaveLength(1);
  expect(await readFile('docs/cli.md', 'utf8')).toBe(page);
});
