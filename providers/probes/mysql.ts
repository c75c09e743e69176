import { createConnection, type Connection } from 'mysql2';
import { judged, type DatabaseTarget } from './database.ts';
import { closing, look, type Look } from './look.ts';

/** The client library's code for a server that speaks no TLS. */
const NO_TLS = 'HANDSHAKE_NO_SSL_SUPPORT';

/** As `lookPostgresql`, for MySQL and MariaDB. */
export function lookMysql(target: DatabaseTarget, signal: AbortSignal): Promise<Look> {
  return look(signal, async (signal) => {
    try {
      return await ask(target, true, signal);
    } catch (error) {
      signal.throwIfAborted();
      if (!(Error.isError(error) && 'code' in error && error.code === NO_TLS)) throw error;
      return ask(target, false, signal);
    }
  });
}

async function ask(target: DatabaseTarget, isEncrypted: boolean, signal: AbortSignal): Promise<Look> {
  const connection = createConnection({
    host: target.address,
    port: target.port,
    database: target.database,
    user: target.user,
    password: target.password.reveal(),
    rowsAsArray: true,
    typeCast: (field) => field.string(),
    ...(isEncrypted ? { ssl: { rejectUnauthorized: false } } : {}),
  });
  connection.on('error', () => undefined);
  const answered = async () => {
    const from = performance.now();
    await connected(connection);
    await done(connection, 'START TRANSACTION READ ONLY');
    const value = await firstValue(connection, target.query);
    return judged(target, value, { ms: Math.round(performance.now() - from), isEncrypted });
  };
  return closing(signal, () => connection.destroy(), answered());
}

function connected(connection: Connection): Promise<void> {
  return new Promise((resolve, reject) => {
    connection.connect((error) => (error === null ? resolve() : reject(error)));
  });
}

function done(connection: Connection, sql: string): Promise<void> {
  return new Promise((resolve, reject) => {
    connection.query(sql, (error) => (error === null ? resolve() : reject(error)));
  });
}

/** Resolves with the first row: the rest is never waited for. */
function firstValue(connection: Connection, sql: string): Promise<string | null | undefined> {
  return new Promise((resolve, reject) => {
    const query = connection.query(sql);
    query.on('result', (row: unknown) => {
      if (Array.isArray(row)) resolve((row as (string | null)[])[0]);
    });
    query.on('end', () => resolve(undefined));
    query.on('error', reject);
  });
}
