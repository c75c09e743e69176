/** Keyset paging: a cursor is where the last answer ended, so that entries that come or go never shift a page. */
import { sql, type SQL } from 'drizzle-orm';
import type { PgColumn } from 'drizzle-orm/pg-core';
import { DrError } from '../../domain/errors.ts';

export interface PageRequest {
  readonly limit: number;
  readonly cursor?: string;
}

export interface Page<T> {
  readonly items: T[];
  readonly nextCursor?: string;
}

type Key = readonly string[];

/** Rows after the cursor, in the order of `columns`; undefined for the first page. @throws DR_REQUEST_INVALID */
export function afterCursor(
  columns: readonly PgColumn[],
  direction: 'ascending' | 'descending',
  cursor: string | undefined,
): SQL | undefined {
  if (cursor === undefined) return undefined;
  const key = decode(cursor, columns);
  const left = sql.join([...columns], sql`, `);
  const right = sql.join(
    key.map((part, index) => sql`${part}::${sql.raw(columns[index]?.getSQLType() ?? 'text')}`),
    sql`, `,
  );
  return direction === 'ascending' ? sql`(${left}) > (${right})` : sql`(${left}) < (${right})`;
}

/** Makes a page of `limit` out of up to `limit + 1` rows. */
export function pageOf<Row, T>(
  rows: readonly Row[],
  limit: number,
  of: { readonly key: (row: Row) => Key; readonly entry: (row: Row) => T },
): Page<T> {
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  const items = shown.map(of.entry);
  return rows.length > limit && last !== undefined ? { items, nextCursor: encode(of.key(last)) } : { items };
}

function encode(key: Key): string {
  return Buffer.from(JSON.stringify(key)).toString('base64url');
}

function decode(cursor: string, columns: readonly PgColumn[]): string[] {
  try {
    const key: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString());
    if (Array.isArray(key) && key.length === columns.length && key.every(isPartOf(columns))) return key;
  } catch {
    // Told below: a cursor is ours or it is not.
  }
  throw new DrError('DR_REQUEST_INVALID', { problems: 'query.cursor: is not one of ours' });
}

/** What `encode` writes for each column: a moment as ISO 8601 to the millisecond, a whole number, text that the database can hold. */
function isPartOf(columns: readonly PgColumn[]) {
  return (part: unknown, index: number): part is string =>
    typeof part === 'string' && (forms[columns[index]?.dataType ?? ''] ?? isText)(part);
}

const forms: Readonly<Record<string, (part: string) => boolean>> = {
  date: isMoment,
  number: (part) => /^\d{1,9}$/.test(part),
};

function isMoment(part: string): boolean {
  const ms = /^[12]\d{3}-/.test(part) ? Date.parse(part) : Number.NaN;
  return !Number.isNaN(ms) && new Date(ms).toISOString() === part;
}

function isText(part: string): boolean {
  return part.isWellFormed() && !part.includes('\u0000');
}
