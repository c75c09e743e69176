import type { EventEmitter } from 'node:events';
import { Socket } from 'node:net';
import { Client, Query } from 'pg';
import { judged, type DatabaseTarget } from './database.ts';
import { closing, look, type Look } from './look.ts';

/** As the client library says it, when the server answers that it speaks no TLS. */
const NO_TLS = /does not support SSL/;

/**
 * Holds when the first column of the query's first row is the answer. The query is one statement in a transaction
 * that cannot write; no further row is read. TLS where the server offers it, whatever its certificate: in a drill
 * the machine has another address.
 */
export function lookPostgresql(target: DatabaseTarget, signal: AbortSignal): Promise<Look> {
  return look(signal, async (signal) => {
    try {
      return await ask(target, true, signal);
    } catch (error) {
      signal.throwIfAborted();
      if (!(Error.isError(error) && NO_TLS.test(error.message))) throw error;
      return ask(target, false, signal);
    }
  });
}

async function ask(target: DatabaseTarget, isEncrypted: boolean, signal: AbortSignal): Promise<Look> {
  const socket = new Socket();
  const client = new Client({
    host: target.address,
    port: target.port,
    database: target.database,
    user: target.user,
    password: target.password.reveal(),
    application_name: 'switchback probe',
    ssl: isEncrypted ? { rejectUnauthorized: false } : false,
    stream: () => socket,
  });
  if (!isEncrypted) refuseClearText(client, socket);
  // Ending the socket under a query is how a query is ended here.
  client.on('error', () => undefined);
  const answered = async () => {
    const from = performance.now();
    await client.connect();
    await client.query('BEGIN READ ONLY');
    const value = await firstValue(client, target.query);
    return judged(target, value, { ms: Math.round(performance.now() - from), isEncrypted });
  };
  return closing(signal, () => socket.destroy(), answered());
}

/** The client library would send the password as it is to whoever asks for that. */
function refuseClearText(client: Client, socket: Socket): void {
  const { connection } = client as unknown as { readonly connection: EventEmitter };
  connection.prependListener('authenticationCleartextPassword', () =>
    socket.destroy(new Error('the server wants the password in clear text, without TLS')),
  );
}

/** Resolves with the first row: the rest is never waited for. */
function firstValue(client: Client, text: string): Promise<string | null | undefined> {
  return new Promise((resolve, reject) => {
    // Of one statement only: nothing can end the transaction and go on.
    const config = {
      text,
      queryMode: 'extended',
      rowMode: 'array',
      types: { getTypeParser: () => String },
    };
    const query = new Query<(string | null)[]>(config);
    query.on('row', (row: readonly (string | null)[]) => resolve(row[0]));
    query.on('end', () => resolve(undefined));
    query.on('error', reject);
    client.query(query);
  });
}
