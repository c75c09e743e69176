import { readFile } from 'node:fs/promises';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { renderCancelDoc } from '../../scripts/cancel-doc.ts';
import { momentsOf, scenarios } from './support/scenarios.ts';
import { cancelEverywhere, isLeft, type Cancelled } from './support/cancel-table.ts';

let table: readonly Cancelled[];
beforeAll(async () => {
  table = await cancelEverywhere();
}, 200_000);

const words = ({ scenario, step, activity, way, state }: Cancelled) =>
  `${scenario}, ${step} (${activity}), ${way}: ${state}`;

describe('a run that is cancelled at any step', () => {
  it('has ended, in a state that something leads on from', () => {
    expect(table.filter(({ isOver }) => !isOver).map(words)).toEqual([]);
    expect(table.filter((each) => !isLeft(each)).map(words)).toEqual([]);
  });

  it('was cancelled at every step that takes time', async () => {
    const missing = new Set<string>();
    for (const scenario of scenarios) {
      const own = scenarios.filter(({ book }) => book === scenario.book).map(({ name }) => name);
      const cut = table.filter((each) => own.includes(each.scenario)).map(({ step }) => step);
      for (const { step } of await momentsOf(scenario)) {
        if (!cut.includes(step)) missing.add(`${scenario.book}/${step}`);
      }
    }
    expect([...missing]).toEqual([]);
  });

  it('breaks no rule of the world', () => {
    expect(
      table.filter(({ violations }) => violations.length > 0).map((each) => [words(each), each.violations]),
    ).toEqual([]);
  });

  it('ends where docs/cancel.md says', async () => {
    expect(await readFile('docs/cancel.md', 'utf8')).toBe(renderCancelDoc(table));
  });
});
