import { describe, expect, it } from '@jest/globals';
import { gathered, type GatheredRow } from '../../server/catalogue/gathered.ts';

const row = (id: number, revision = 1) => ({ id: `row-${id}`, revision });

/** A database whose first statement ends when the test says so. */
function slowTable(refuses: (id: string) => boolean = () => false) {
  const statements: GatheredRow[][] = [];
  const first = Promise.withResolvers<void>();
  const record = gathered(async (rows: readonly GatheredRow[]) => {
    statements.push([...rows]);
    if (statements.length === 1) await first.promise;
    if (rows.some(({ id }) => refuses(id))) throw new Error('not this row');
  });
  return { statements, record, goOn: first.resolve };
}

describe('records that are written together', () => {
  it('what comes during a write goes with the next one, a hundred at a time', async () => {
    const { statements, record, goOn } = slowTable();
    const all = Array.from({ length: 251 }, (_, id) => record(row(id)));
    goOn();
    await Promise.all(all);
    expect(statements.map(({ length }) => length)).toEqual([1, 100, 100, 50]);
    expect(statements.flat().map(({ id }) => id)).toEqual(all.map((_, id) => `row-${id}`));
  });

  it('of one record only the newest revision is written, whatever the order', async () => {
    const { statements, record, goOn } = slowTable();
    const all = [record(row(0)), record(row(1, 5)), record(row(1, 7)), record(row(1, 6))];
    goOn();
    await Promise.all(all);
    expect(statements[1]).toEqual([row(1, 7)]);
  });

  it('a row that the database refuses fails alone', async () => {
    const { record, goOn } = slowTable((id) => id === 'row-2');
    const all = [0, 1, 2, 3].map((id) => record(row(id)));
    goOn();
    const ends = await Promise.allSettled(all);
    expect(ends.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected', 'fulfilled']);
  });
});
