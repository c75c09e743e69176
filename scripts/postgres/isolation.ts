/**
 * Runs a program in a mount namespace and a temporary folder of its own. However it ends, the kernel takes away its mounts,
 * and with them their loop devices, once its last process is gone; the folder is removed here, or by the next run.
 */
import { spawn } from 'node:child_process';
import { chmod, mkdtemp, readdir, rm } from 'node:fs/promises';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { guard, unguard } from '../../lab/processes/guard.ts';
import { identify, isAlive } from '../../lab/processes/pid.ts';

const PREFIX = 'switchback-database-';
const REMOVE = { recursive: true, force: true, maxRetries: 20, retryDelay: 100 } as const;

/** Exit code of `script`; a signal counts as 128 and its number, and is passed on to it. */
export async function runIsolated(script: string, args: readonly string[]): Promise<number> {
  await removeLeftBehind();
  const folder = await mkdtemp(join(tmpdir(), `${PREFIX}${process.pid}-${startOf(process.pid)}-`));
  // PostgreSQL runs as another user and has to pass through.
  await chmod(folder, 0o711);
  try {
    return await inNamespace(script, args, folder);
  } finally {
    await rm(folder, REMOVE);
  }
}

function inNamespace(script: string, args: readonly string[], folder: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const unshare = ['--mount', '--propagation', 'private', process.execPath, script, ...args];
    const env = { ...process.env, TMPDIR: folder };
    const child = spawn('unshare', unshare, { stdio: 'inherit', env });
    const { pid } = child;
    if (pid !== undefined) guard(pid);
    const forward = (signal: NodeJS.Signals) => child.kill(signal);
    const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
    for (const signal of signals) process.on(signal, forward);
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      for (const each of signals) process.off(each, forward);
      if (pid !== undefined) unguard(pid);
      resolve(code ?? 128 + constants.signals[signal ?? 'SIGTERM']);
    });
  });
}

/** Folders whose names tell of a process that is gone. */
async function removeLeftBehind(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    const [, pid, startedTicks] = new RegExp(`^${PREFIX}(\\d+)-(\\d+)-`).exec(name) ?? [];
    if (pid === undefined || startedTicks === undefined) continue;
    if (!isAlive({ pid: Number(pid), startedTicks })) await rm(join(tmpdir(), name), REMOVE);
  }
}

function startOf(pid: number): string {
  return identify(pid).startedTicks ?? '0';
}
