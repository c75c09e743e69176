/** What a bank asks its database after a crash. */
import type { Client } from 'pg';

export interface Books {
  /** Rows of the history: transactions. */
  readonly transactions: number;
  /** Sums over accounts, tellers, branches and the history; equal when the books balance. */
  readonly sums: readonly string[];
  readonly markers: number;
  readonly lastMarker: number;
}

/** What must hold: transactions of the point before it, and the last marker acknowledged before its snapshot. */
export interface Expected {
  readonly transactions: number;
  readonly marker: number;
}

const SUMS = `select array[
    (select sum(abalance) from pgbench_accounts), (select sum(tbalance) from pgbench_tellers),
    (select sum(bbalance) from pgbench_branches), (select coalesce(sum(delta), 0) from pgbench_history)
  ]::text[] as sums,
  (select count(*) from pgbench_history)::int as transactions,
  (select count(*) from marker)::int as markers,
  (select coalesce(max(seq), 0) from marker)::int as "lastMarker"`;
const TABLES = `select oid::regclass::text as name from pg_class
  where relkind = 'r' and (relname like 'pgbench%' or relname = 'marker')`;
/** Every page of the tables, every index entry against its row. */
const HEAP = 'select blkno, msg from verify_heapam($1::regclass) limit 3';
const INDEXES = `select indexrelid::regclass::text as name, bt_index_check(indexrelid, true) from pg_index
  where indrelid = $1::regclass`;

/** @throws Error of the database when a page cannot be read */
export async function readBooks(client: Client): Promise<Books> {
  const { rows } = await client.query<Books>(SUMS);
  const [books] = rows;
  if (books === undefined) throw new Error('no row');
  return books;
}

/** Empty when tables and indexes are sound. @throws Error of the database naming the index or page that is not */
export async function damages(client: Client): Promise<string[]> {
  const found: string[] = [];
  for (const name of await tables(client)) {
    const { rows } = await client.query<{ blkno: string; msg: string }>(HEAP, [name]);
    found.push(...rows.map(({ blkno, msg }) => `${name}, page ${blkno}: ${msg}`));
    await client.query(INDEXES, [name]);
  }
  return found;
}

/** Paths of the tables below the data folder. */
export async function tableFiles(client: Client): Promise<string[]> {
  const names = await tables(client);
  const { rows } = await client.query<{ path: string }>(
    'select pg_relation_filepath(name::regclass) as path from unnest($1::text[]) as name',
    [names],
  );
  return rows.map(({ path }) => path);
}

/** Empty when everything holds. */
export function imbalances({ transactions, sums, markers, lastMarker }: Books, expected: Expected): string[] {
  const [accounts, tellers, branches, history] = sums;
  const wrong = (isWrong: boolean, what: string) => (isWrong ? [what] : []);
  return [
    ...wrong(
      new Set(sums).size !== 1,
      `books: accounts ${accounts}, tellers ${tellers}, branches ${branches}, history ${history}`,
    ),
    ...wrong(markers !== lastMarker, `markers: ${lastMarker - markers} of ${lastMarker} are missing`),
    ...wrong(
      lastMarker < expected.marker,
      `marker ${expected.marker} was acknowledged before the snapshot, the last one is ${lastMarker}`,
    ),
    ...wrong(
      transactions < expected.transactions,
      `${transactions} transactions, ${expected.transactions} at the point before`,
    ),
  ];
}

async function tables(client: Client): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(TABLES);
  return rows.map(({ name }) => name);
}
