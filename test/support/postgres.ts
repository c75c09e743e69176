/** A private PostgreSQL cluster in a temporary folder on a free port, for tests. */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chown, mkdtemp, readdir, rm, access, constants } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Client } from 'pg';
import { Secret } from '../../domain/ports.ts';

const run = promisify(execFile);
/** PostgreSQL refuses to run as root: `nobody` on every Debian and Red Hat. */
export const UNPRIVILEGED = 65_534;
const START_MS_MAX = 20_000;

export interface PostgresCluster {
  /** A new, empty database. */
  createDatabase(name: string): Promise<Secret>;
  stop(): Promise<void>;
}

export async function hasPostgres(): Promise<boolean> {
  return process.env['SWITCHBACK_TEST_POSTGRES_URL'] !== undefined || (await findPrograms()) !== null;
}

/** The server named by SWITCHBACK_TEST_POSTGRES_URL, else a private cluster. */
export async function startPostgres(): Promise<PostgresCluster> {
  const given = process.env['SWITCHBACK_TEST_POSTGRES_URL'];
  if (given !== undefined) return cluster(given, async () => {});
  const bin = await findPrograms();
  if (bin === null) throw new Error('initdb and postgres were not found');
  return startCluster(bin);
}

/** Folder that holds these programs of PostgreSQL, the newest version's; null: there is none. */
export async function findPrograms(names = ['initdb', 'postgres']): Promise<string | null> {
  const versions = await readdir('/usr/lib/postgresql').catch((): string[] => []);
  const newestFirst = versions
    .sort((a, b) => Number(b) - Number(a))
    .map((version) => join('/usr/lib/postgresql', version, 'bin'));
  for (const folder of [...(process.env['PATH'] ?? '').split(delimiter), ...newestFirst]) {
    const found = await Promise.all(
      names.map((name) =>
        access(join(folder, name), constants.X_OK).then(
          () => true,
          () => false,
        ),
      ),
    );
    if (found.every(Boolean)) return folder;
  }
  return null;
}

async function startCluster(bin: string): Promise<PostgresCluster> {
  const folder = await mkdtemp(join(tmpdir(), 'switchback-postgres-'));
  const identity = process.getuid?.() === 0 ? { uid: UNPRIVILEGED, gid: UNPRIVILEGED } : {};
  if ('uid' in identity) await chown(folder, UNPRIVILEGED, UNPRIVILEGED);
  const data = join(folder, 'data');
  await run(join(bin, 'initdb'), ['-D', data, '-U', 'switchback', '-A', 'trust', '--no-sync', '-E', 'UTF8'], {
    ...identity,
    cwd: folder,
  });
  const port = await freePort();
  const server = spawn(
    join(bin, 'postgres'),
    ['-D', data, '-p', String(port), '-h', '127.0.0.1', '-k', folder, '-F'],
    { ...identity, cwd: folder, stdio: 'ignore' },
  );
  const url = `postgres://switchback@127.0.0.1:${port}/postgres`;
  const stop = async () => {
    if (server.exitCode === null && server.signalCode === null) {
      const ended = once(server, 'exit');
      server.kill('SIGINT');
      await ended;
    }
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await answering(url, server);
  } catch (error) {
    await stop();
    throw error;
  }
  return cluster(url, stop);
}

function cluster(url: string, stop: () => Promise<void>): PostgresCluster {
  return {
    stop,
    async createDatabase(name) {
      const client = new Client({ connectionString: url });
      await client.connect();
      try {
        await client.query(`drop database if exists "${name}" with (force)`);
        await client.query(`create database "${name}"`);
      } finally {
        await client.end();
      }
      const own = new URL(url);
      own.pathname = `/${name}`;
      return new Secret(own.href);
    },
  };
}

async function answering(url: string, server: ChildProcess): Promise<void> {
  const deadline = Date.now() + START_MS_MAX;
  for (;;) {
    const client = new Client({ connectionString: url });
    try {
      await client.connect();
      await client.end();
      return;
    } catch (error) {
      await client.end().catch(() => {});
      if (server.exitCode !== null || Date.now() > deadline) throw error;
      await wait(50);
    }
  }
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const address = probe.address();
  probe.close();
  await once(probe, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
