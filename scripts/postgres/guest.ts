/**
 * The operating system of the practice machine, played by this host: its disks come over NBD, carry ext4, and PostgreSQL runs
 * on them, its tables on the first and its write-ahead log on the second.
 */
import { chown, mkdir, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { VCenterControls } from '../../lab/controls.ts';
import { startProcess, type Running } from '../../lab/processes/process.ts';
import { UNPRIVILEGED } from '../../test/support/postgres.ts';
import { exists } from './exists.ts';
import { createMarkers, Markers } from './markers.ts';
import { DATABASE, DATABASE_USER, PORT, startServer, type DatabaseServer } from './server.ts';
import { must, unprivileged, type Tools } from './tools.ts';
import type { Undo } from './undo.ts';

/** In this order the machine has them; mount points have these names. */
export const volumes = ['data', 'wal'] as const;
export const DATA_FOLDER = 'data/pg';
export const WAL_FOLDER = 'wal/pg_wal';
/** Small, so that recovery has many files to go through. */
export const WAL_SEGMENT_BYTES = 4 * 2 ** 20;

const NBD_READY_MS = 30_000;
const CLIENTS = '4';
/** 100,000 accounts each. */
const SCALE = '3';
/** Transactions per second that they aim at together: enough for a checkpoint every few seconds. */
const RATE = '300';
/** Ended when there are enough points. */
const WORK_SECONDS_MAX = '86400';
/** Checkpoints come every few seconds, so that points fall before, into and after them. */
const settings = {
  fsync: 'on',
  full_page_writes: 'on',
  synchronous_commit: 'on',
  shared_buffers: '32MB',
  max_wal_size: '32MB',
  min_wal_size: '8MB',
  checkpoint_timeout: '30s',
  log_checkpoints: 'on',
};

export interface GuestOptions {
  readonly controls: VCenterControls;
  readonly machine: string;
  /** Mount points, sockets and logs are made in it. */
  readonly folder: string;
  readonly tools: Tools;
  readonly undo: Undo;
}

export interface Guest {
  readonly markers: Markers;
  checkpoints(): Promise<number>;
  /** Ends pgbench, markers and the server. @throws Error when pgbench or the server had ended before */
  stop(): Promise<void>;
}

/** Resolves when pgbench works and markers are written. */
export async function startGuest(options: GuestOptions): Promise<Guest> {
  const { controls, machine, folder, tools, undo } = options;
  const { disks } = await controls.machine(machine);
  for (const [index, volume] of volumes.entries()) {
    const at = { machine, deviceKey: disks[index]?.deviceKey ?? 0 };
    const { host, port, exportName } = await controls.guestDisk(at);
    const device = await deviceOf(options, volume, `nbd://${host}:${port}/${exportName}`);
    await must(tools.mke2fs, ['-q', '-F', '-t', 'ext4', '-m', '0', '-E', 'nodiscard', device]);
    await mountImage(device, join(folder, volume), undo);
  }
  await initialise(options);
  const server = await startServer({
    tools,
    data: join(folder, DATA_FOLDER),
    sockets: join(folder, 'sockets'),
    logFile: join(folder, 'server.log'),
    settings,
  });
  undo.add('the guest’s server', () => server.stop());
  return work(options, server);
}

/** Mounts a file as ext4; its loop device goes with the mount. */
export async function mountImage(file: string, at: string, undo: Undo): Promise<void> {
  await mkdir(at, { recursive: true });
  await must('mount', ['-t', 'ext4', '-o', 'loop', file, at]);
  undo.add(`mount ${at}`, () => must('umount', [at]));
}

async function deviceOf({ folder, tools, undo }: GuestOptions, volume: string, url: string): Promise<string> {
  const mountPoint = join(folder, 'nbd', volume);
  const device = join(mountPoint, 'nbd');
  await mkdir(mountPoint, { recursive: true });
  const running = await startProcess({
    name: 'nbdfuse',
    command: tools.nbdfuse,
    args: [mountPoint, url],
    logFile: join(folder, `nbdfuse-${volume}.log`),
    ready: async () => (await exists(device)) || undefined,
    readyWithinMs: NBD_READY_MS,
  });
  undo.add(`nbdfuse of ${volume}`, () => running.stop());
  return device;
}

/** The log's folder is named by a relative path, so that a copy mounted elsewhere finds its own. */
async function initialise({ folder, tools }: GuestOptions): Promise<void> {
  const data = join(folder, DATA_FOLDER);
  const wal = join(folder, WAL_FOLDER);
  for (const each of [data, wal]) {
    await mkdir(each, { mode: 0o700 });
    await chown(each, UNPRIVILEGED, UNPRIVILEGED);
  }
  const segment = String(WAL_SEGMENT_BYTES / 2 ** 20);
  const cluster = ['-D', data, '-X', wal, '-U', DATABASE_USER, '-A', 'trust', '-E', 'UTF8', '--locale=C'];
  await must(
    ...unprivileged(join(tools.postgres, 'initdb'), [
      ...cluster,
      '--data-checksums',
      '--wal-segsize',
      segment,
    ]),
  );
  await rm(join(data, 'pg_wal'));
  await symlink(`../../${WAL_FOLDER}`, join(data, 'pg_wal'));
}

async function work({ folder, tools, undo }: GuestOptions, server: DatabaseServer): Promise<Guest> {
  const pgbench = join(tools.postgres, 'pgbench');
  const to = ['-h', server.sockets, '-p', PORT, '-U', DATABASE_USER];
  await must(...unprivileged(pgbench, [...to, '-i', '-q', '-s', SCALE, DATABASE]));
  const client = await server.connect();
  await createMarkers(client);
  await client.query('create extension amcheck');
  await client.query('checkpoint');
  // What set-up wrote without syncing may be lost by a crash, and rightly so: it is not what is looked at.
  for (const volume of volumes) await must('sync', ['-f', join(folder, volume)]);
  // `-n`: without it pgbench empties the history first.
  const [command, args] = unprivileged(pgbench, [
    ...to,
    '-n',
    '-c',
    CLIENTS,
    '-R',
    RATE,
    '-T',
    WORK_SECONDS_MAX,
    DATABASE,
  ]);
  const bench = await startProcess({
    name: 'pgbench',
    command,
    args,
    logFile: join(folder, 'pgbench.log'),
    ready: async () => ((await transactions(client)) > 0 ? true : undefined),
    readyWithinMs: NBD_READY_MS,
  });
  undo.add('pgbench', () => bench.stop());
  const markers = new Markers(client);
  undo.add('markers', () => markers.stop());
  return { markers, checkpoints: () => checkpointsOf(server), stop: () => stop(server, bench, markers) };
}

async function stop(server: DatabaseServer, bench: Running, markers: Markers): Promise<void> {
  const stillRunning = Symbol('still running');
  const both = Promise.race([bench.exited, server.ended, Promise.resolve(stillRunning)]);
  if ((await both) !== stillRunning) throw new Error('pgbench or the server of the guest ended by itself');
  await markers.stop();
  await bench.stop();
  await server.stop();
}

async function transactions(client: Awaited<ReturnType<DatabaseServer['connect']>>): Promise<number> {
  const { rows } = await client.query<{ n: string }>('select count(*) as n from pgbench_history');
  return Number(rows[0]?.n);
}

async function checkpointsOf(server: DatabaseServer): Promise<number> {
  const client = await server.connect();
  const { rows } = await client.query<{ n: string }>(
    'select checkpoints_timed + checkpoints_req as n from pg_stat_bgwriter',
  );
  await client.end();
  return Number(rows[0]?.n);
}
