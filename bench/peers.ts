/** Programs of others that do the same work. Each runs in its namespace against an emulator of its own. */
import { createHash } from 'node:crypto';
import { spawn } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { debianTool } from '../lab/tools/debian.ts';
import type { Rig } from './rig.ts';
import { DEVELOPMENT_ACCOUNT } from './servers.ts';
import { timed, type TimedRun } from './shell.ts';

type Tool = 'rclone' | 'restic';

export interface Peer {
  readonly name: string;
  /** Its programs; it is not run where one is missing. */
  readonly tools: readonly Tool[];
  prepare(place: PeerPlace): Promise<void>;
  /** Copies the image as it is now. */
  copy(place: PeerPlace): Promise<TimedRun>;
  /** SHA-256 of what the account gives back. */
  hash(place: PeerPlace): Promise<string>;
}

export interface PeerPlace {
  readonly rig: Rig;
  /** Namespace the program runs in. */
  readonly prefix: readonly string[];
  /** Endpoint of the account, plain HTTP. */
  readonly accountUrl: string;
  readonly image: string;
  readonly signal: AbortSignal;
}

/** Debian's rclone 1.60 needs both `use_emulator` and the endpoint, or it retries for minutes. */
function environment({ rig, accountUrl }: PeerPlace): NodeJS.ProcessEnv {
  return {
    PATH: process.env['PATH'],
    HOME: rig.folder,
    RCLONE_CONFIG: join(rig.folder, 'rclone.conf'),
    RCLONE_CONFIG_AZ_TYPE: 'azureblob',
    RCLONE_CONFIG_AZ_ACCOUNT: DEVELOPMENT_ACCOUNT,
    RCLONE_CONFIG_AZ_USE_EMULATOR: 'true',
    RCLONE_CONFIG_AZ_ENDPOINT: accountUrl,
    RCLONE_RETRIES: '1',
    RCLONE_LOW_LEVEL_RETRIES: '2',
    RESTIC_PASSWORD: 'bench',
    RESTIC_REPOSITORY: 'rclone:az:restic/r1',
    RESTIC_CACHE_DIR: join(rig.folder, 'restic-cache'),
  };
}

const CHUNK = ['--azureblob-chunk-size', '4M'];

const rclone: Peer = {
  name: 'rclone',
  tools: ['rclone'],
  prepare: async (place) => void (await launch(place, 'rclone', ['mkdir', 'az:disks'])),
  copy: (place) =>
    launch(place, 'rclone', ['copyto', ...CHUNK, '--ignore-times', place.image, 'az:disks/disk.img']),
  hash: (place) => hashOf(place, 'rclone', ['cat', 'az:disks/disk.img']),
};

const restic: Peer = {
  name: 'restic',
  tools: ['restic', 'rclone'],
  async prepare(place) {
    await launch(place, 'rclone', ['mkdir', 'az:restic']);
    await launch(place, 'restic', ['init', '--repository-version', '2']);
  },
  copy: (place) => launch(place, 'restic', ['backup', '-o', 'rclone.connections=8', place.image]),
  hash: (place) => hashOf(place, 'restic', ['dump', 'latest', place.image]),
};

export const peers: readonly Peer[] = [rclone, restic];

/** Null: it can run. */
export function absenceOf({ tools }: Peer): string | null {
  try {
    for (const tool of tools) debianTool(tool);
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}

async function launch(place: PeerPlace, tool: Tool, args: readonly string[]): Promise<TimedRun> {
  const { rig, prefix, signal } = place;
  await mkdir(rig.folder, { recursive: true });
  return timed({
    prefix,
    command: debianTool(tool),
    args,
    env: environment(place),
    folder: rig.folder,
    signal,
  });
}

async function hashOf(place: PeerPlace, tool: Tool, args: readonly string[]): Promise<string> {
  const command = [...place.prefix, debianTool(tool), ...args];
  const child = spawn(command[0] ?? '', command.slice(1), {
    env: environment(place),
    signal: place.signal,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const hash = createHash('sha256');
  for await (const chunk of child.stdout as AsyncIterable<Buffer>) hash.update(chunk);
  return hash.digest('hex');
}
