/** One nbdkit process that serves one disk on a private UNIX socket. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DrError } from '../../../domain/errors.ts';
import type { Secret } from '../../../domain/ports.ts';

const READY_SECONDS_MAX = 30;
const STOP_SECONDS_MAX = 10;
const POLL_MS = 50;
const LOG_BYTES_MAX = 4096;

export interface NbdkitOptions {
  /** Program to run. */
  readonly command: string;
  /** An existing folder; a private one is made below it. A UNIX socket's path has at most 107 bytes. */
  readonly runFolder: string;
  /** Lies in a file only the user can read, from before the start until the process serves. */
  readonly secret: Secret;
  /** Plugin and its parameters. */
  readonly pluginArguments: (secretFile: string) => readonly string[];
  /** False: the process never writes. */
  readonly isWritable: boolean;
  /** For error messages. */
  readonly disk: string;
  readonly signal: AbortSignal;
}

export interface NbdkitProcess {
  readonly socketPath: string;
  readonly pid: number;
  /** The last it said on standard error. */
  lastWords(): string;
  /** Ends the process and removes its folder; resolves when both are gone. Repeating it is fine. */
  close(): Promise<void>;
}

/** Arguments in front of the plugin. The process ends with its parent. */
export function nbdkitArguments(socketPath: string, pidFile: string, isWritable: boolean): readonly string[] {
  const access = isWritable ? [] : ['--readonly'];
  return ['--exit-with-parent', ...access, '--unix', socketPath, '--pidfile', pidFile];
}

/**
 * Resolves when the socket accepts connections.
 * @throws DR_TOOL_MISSING, DR_REPLICATION_SOURCE_READ with the last words of the process, or the signal's reason
 */
export async function startNbdkit(options: NbdkitOptions): Promise<NbdkitProcess> {
  const folder = await mkdtemp(join(options.runFolder, 'nbd-'));
  const removeFolder = () => rm(folder, { recursive: true, force: true });
  const socketPath = join(folder, 'socket');
  const pidFile = join(folder, 'pid');
  const secretFile = join(folder, 'secret');
  let child: Child | undefined;
  try {
    await writeFile(secretFile, options.secret.reveal(), { mode: 0o600 });
    const plugin = options.pluginArguments(secretFile);
    child = launch(options.command, [...nbdkitArguments(socketPath, pidFile, options.isWritable), ...plugin]);
    await untilReady(child, pidFile, options);
    await rm(secretFile);
    const running = child;
    const close = async () => {
      await running.stop();
      await removeFolder();
    };
    return { socketPath, pid: running.pid, lastWords: () => running.lastWords(), close };
  } catch (error) {
    await child?.stop();
    await removeFolder();
    throw error;
  }
}

interface Child {
  readonly pid: number;
  /** Why it ended; undefined while it runs. */
  failure(): { readonly isMissing: boolean; readonly reason: string } | undefined;
  lastWords(): string;
  stop(): Promise<void>;
}

function launch(command: string, args: readonly string[]): Child {
  const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let log = '';
  let failure: { readonly isMissing: boolean; readonly reason: string } | undefined;
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    log = (log + text).slice(-LOG_BYTES_MAX);
  });
  const ended = new Promise<void>((resolve) => {
    child.once('error', (error: NodeJS.ErrnoException) => {
      failure = { isMissing: error.code === 'ENOENT', reason: error.code ?? error.message };
      resolve();
    });
    child.once('close', (code, signal) => {
      failure ??= { isMissing: false, reason: log.trim() || `nbdkit ended with ${code ?? signal}` };
      resolve();
    });
  });
  return {
    pid: child.pid ?? 0,
    failure: () => failure,
    lastWords: () => log.trim(),
    stop: () => stop(child, ended),
  };
}

async function untilReady(child: Child, pidFile: string, options: NbdkitOptions): Promise<void> {
  const giveUpAt = Date.now() + READY_SECONDS_MAX * 1000;
  while (!existsSync(pidFile)) {
    options.signal.throwIfAborted();
    const failure = child.failure();
    if (failure?.isMissing) {
      throw new DrError('DR_TOOL_MISSING', { tool: 'nbdkit', reason: `${options.command} does not exist` });
    }
    if (failure !== undefined) throw unreadable(options.disk, failure.reason);
    if (Date.now() > giveUpAt)
      throw unreadable(options.disk, `nbdkit is not ready after ${READY_SECONDS_MAX} s`);
    await sleep(POLL_MS);
  }
}

async function stop(child: ChildProcess, ended: Promise<void>): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return ended;
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_SECONDS_MAX * 1000);
  await ended;
  clearTimeout(timer);
}

function unreadable(disk: string, reason: string): DrError {
  return new DrError('DR_REPLICATION_SOURCE_READ', { disk, offset: 0, reason });
}
