/** A PostgreSQL server on a data folder that is there already, reached by a socket only. */
import { mkdir, chown } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Client } from 'pg';
import { startProcess } from '../../lab/processes/process.ts';
import { UNPRIVILEGED } from '../../test/support/postgres.ts';
import { unprivileged, type Tools } from './tools.ts';

export const DATABASE_USER = 'switchback';
export const DATABASE = 'postgres';
export const PORT = '5432';
const READY_MS = 90_000;

export interface ServerOptions {
  readonly tools: Tools;
  /** Data folder. */
  readonly data: string;
  /** Made for the socket; a path of at most 80 characters. */
  readonly sockets: string;
  readonly logFile: string;
  readonly settings: Readonly<Record<string, string>>;
}

export interface DatabaseServer {
  readonly sockets: string;
  connect(): Promise<Client>;
  /** Resolves when the server has ended by itself or was stopped. */
  readonly ended: Promise<unknown>;
  /** Ends sessions and the server. */
  stop(): Promise<void>;
}

/** @throws Error with the end of its log when it does not answer */
export async function startServer(options: ServerOptions): Promise<DatabaseServer> {
  const { tools, data, sockets, logFile, settings } = options;
  await mkdir(sockets, { recursive: true });
  await chown(sockets, UNPRIVILEGED, UNPRIVILEGED);
  const given = Object.entries({ ...settings, listen_addresses: '', port: PORT }).flatMap(([name, value]) => [
    '-c',
    `${name}=${value}`,
  ]);
  const [command, args] = unprivileged(join(tools.postgres, 'postgres'), [
    '-D',
    data,
    '-k',
    sockets,
    ...given,
  ]);
  const running = await startProcess({
    name: `postgres in ${dirname(data)}`,
    command,
    args,
    logFile,
    ready: () =>
      connect(sockets).then(
        (client) => client.end().then(() => true),
        () => undefined,
      ),
    readyWithinMs: READY_MS,
  });
  return {
    sockets,
    connect: () => connect(sockets),
    ended: running.exited,
    async stop() {
      // "Fast shutdown"; SIGTERM would wait for sessions.
      running.kill('SIGINT');
      await running.stop();
    },
  };
}

async function connect(host: string): Promise<Client> {
  const client = new Client({ host, port: Number(PORT), user: DATABASE_USER, database: DATABASE });
  // A server that goes away is met by the next query.
  client.on('error', () => undefined);
  try {
    await client.connect();
    return client;
  } catch (error) {
    await client.end().catch(() => undefined);
    throw error;
  }
}
