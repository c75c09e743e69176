/** Opens the catalogue: embedded (PGlite in a folder) or PostgreSQL. The same SQL runs on both. */
import { PGlite } from '@electric-sql/pglite';
import { drizzle as drizzlePostgres } from 'drizzle-orm/node-postgres';
import { drizzle as drizzlePglite } from 'drizzle-orm/pglite';
import { Pool } from 'pg';
import { DrError } from '../../domain/errors.ts';
import type { Secret } from '../../domain/ports.ts';
import { Catalogue } from './catalogue.ts';
import { lockFolder } from './folder-lock.ts';
import { migrate, type Database } from './migrate.ts';

/** Enough for the API and the projecting activities of one process. */
const CONNECTIONS_MAX = 10;

/** PostgreSQL where `url` is given, else embedded in `folder`. @throws DR_CATALOGUE_UNREACHABLE */
export async function openCatalogue(options: {
  readonly url?: Secret;
  readonly folder: string;
}): Promise<Catalogue> {
  const { url, folder } = options;
  const opened = url === undefined ? await openEmbedded(folder) : openPostgres(url);
  try {
    await migrate(opened.database);
  } catch (error) {
    await opened.close();
    throw error instanceof DrError ? error : unreachable(error);
  }
  return new Catalogue(opened.database, () => opened.close());
}

interface Opened {
  readonly database: Database;
  close(): Promise<void>;
}

function openPostgres(url: Secret): Opened {
  const pool = new Pool({
    connectionString: url.reveal(),
    max: CONNECTIONS_MAX,
    connectionTimeoutMillis: 5_000,
    statement_timeout: 10_000,
    // A connection that has died silently must not hold up those who wait behind it.
    query_timeout: 15_000,
    keepAlive: true,
    application_name: 'switchback',
  });
  // An idle connection that breaks is replaced at the next query; without a listener it would end the process.
  pool.on('error', () => {});
  return { database: drizzlePostgres(pool), close: () => pool.end() };
}

async function openEmbedded(folder: string): Promise<Opened> {
  const unlock = await lockFolder(folder);
  try {
    const client = await PGlite.create(folder);
    const close = async () => {
      await client.close();
      await unlock();
    };
    return { database: drizzlePglite(client), close };
  } catch (error) {
    await unlock();
    throw unreachable(error);
  }
}

/** The first error of the chain that names a connection; its text never holds the password. */
function unreachable(error: unknown): DrError {
  return new DrError('DR_CATALOGUE_UNREACHABLE', { reason: reasonOf(error) }, { cause: error });
}

function reasonOf(error: unknown): string {
  if (!Error.isError(error)) return 'unknown';
  return Error.isError(error.cause) ? reasonOf(error.cause) : (codeOf(error) ?? error.message);
}

function codeOf(error: Error): string | undefined {
  return 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/** A connection that is refused, lost or shut down, as Node (E…) and PostgreSQL (class 08, 57P) name it. */
const lostConnection = /^(?:ECONN|ENOTFOUND|EPIPE|ETIMEDOUT|EHOSTUNREACH|08|57P|53300)/;

/** Tells a database that is away from a bug: the former becomes DR_CATALOGUE_UNREACHABLE, anything else stays. */
export function catalogueError(error: unknown): unknown {
  if (!Error.isError(error)) return error;
  const reason = reasonOf(error);
  return lostConnection.test(reason) ||
    /timeout exceeded when trying to connect|Connection terminated/.test(reason)
    ? unreachable(error)
    : error;
}

/** What the catalogue answers, or `instead` while it is out of reach. */
export async function withoutCatalogue<T>(answer: Promise<T>, instead: T): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    const known = catalogueError(error);
    if (known instanceof DrError && known.code === 'DR_CATALOGUE_UNREACHABLE') return instead;
    throw error;
  }
}
