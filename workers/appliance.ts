/**
 * The appliance: all roles on one machine. By default each role is a process of its own, started again when it dies,
 * so that a fault in one cannot take the others with it; `singleProcess` runs them in this one for small sites.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Logger } from 'pino';
import { loadConfig, type Config } from '../config/load.ts';
import { createVaultKeyFile } from '../providers/vault/file-vault-key.ts';
import { configurationServer } from './configuration-server.ts';
import { createLog, installTemporalLog } from './log.ts';
import { masterTarget } from './master-target.ts';
import { processServer } from './process-server.ts';
import { recoverySite } from './recovery-site.ts';
import { roleMemoryEnvironment, roleNodeOptions } from './role-process.ts';
import type { Role } from './role.ts';

const ROLES: Readonly<Record<string, Role>> = {
  'configuration-server': configurationServer,
  'process-server': processServer,
  'recovery-site': recoverySite,
  'master-target': masterTarget,
};

const RESTART_MS = { first: 250, max: 10_000, healthyAfter: 30_000 } as const;
/** A role that does not end by itself is ended after this. */
const STOP_MS = 30_000;

export interface ApplianceOptions {
  readonly configFile: string;
  readonly singleProcess: boolean;
  readonly signal: AbortSignal;
}

/** Runs until `signal`; resolves when every role has ended. */
export async function runAppliance(options: ApplianceOptions): Promise<void> {
  const config = await loadConfig({ file: options.configFile, env: process.env, flags: {} });
  const log = createLog('appliance', config.log.level);
  await ensureVaultKey(config, log);
  if (options.singleProcess) return runTogether(config, log, options.signal);
  const runFolder = join(config.dataDir, 'run');
  await mkdir(runFolder, { recursive: true, mode: 0o700 });
  const roles = Object.keys(ROLES).map((role) => superviseRole({ role, runFolder, log, ...options }));
  await Promise.all(roles);
}

/** First start: an installation begins with a key of its own. Whatever another key sealed says so when it is opened. */
async function ensureVaultKey(config: Config, log: Logger): Promise<void> {
  const { keyFile } = config.vault;
  if (existsSync(keyFile)) return;
  await mkdir(dirname(keyFile), { recursive: true, mode: 0o700 });
  await createVaultKeyFile(keyFile);
  log.warn({ keyFile }, 'made a new vault key: keep a copy of it apart from this machine');
}

async function runTogether(config: Config, log: Logger, signal: AbortSignal): Promise<void> {
  installTemporalLog(log);
  const stop = new AbortController();
  const both = AbortSignal.any([signal, stop.signal]);
  const running = Object.entries(ROLES).map(([name, role]) =>
    role({ config, log: log.child({ role: name }), signal: both }).finally(() => stop.abort()),
  );
  const ended = await Promise.allSettled(running);
  const failed = ended.find((each) => each.status === 'rejected');
  if (failed !== undefined && !signal.aborted) throw failed.reason;
}

interface Supervised {
  readonly role: string;
  readonly runFolder: string;
  readonly configFile: string;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

async function superviseRole(supervised: Supervised): Promise<void> {
  const { role, log, signal } = supervised;
  let waitMs: number = RESTART_MS.first;
  while (!signal.aborted) {
    const startedAt = Date.now();
    const { code, killedBy } = await runOnce(supervised);
    if (signal.aborted) return;
    if (Date.now() - startedAt > RESTART_MS.healthyAfter) waitMs = RESTART_MS.first;
    log.error({ role, code, killedBy, waitMs }, 'role ended; starting it again');
    await delay(waitMs, undefined, { signal }).catch(() => undefined);
    waitMs = Math.min(waitMs * 2, RESTART_MS.max);
  }
}

async function runOnce({ role, runFolder, configFile, signal }: Supervised) {
  const entry = fileURLToPath(new URL(`${role}.ts`, import.meta.url));
  const child = spawn(process.execPath, [...roleNodeOptions(role), entry, '--config', configFile], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    env: environmentOf(role),
  });
  const ended = new Promise<{ code: number | null; killedBy: string | null }>((resolve) => {
    child.once('exit', (code, killedBy) => resolve({ code, killedBy }));
    child.once('error', () => resolve({ code: null, killedBy: null }));
  });
  const stop = () => stopChild(child);
  signal.addEventListener('abort', stop, { once: true });
  const pidFile = join(runFolder, `${role}.json`);
  await writeAtomically(pidFile, { role, pid: child.pid, startedAt: new Date().toISOString() });
  const result = await ended;
  signal.removeEventListener('abort', stop);
  await rm(pidFile, { force: true });
  return result;
}

/** Only the configuration server opens the catalogue; nobody else is given its address. */
function environmentOf(role: string): NodeJS.ProcessEnv {
  const env = { ...process.env, ...roleMemoryEnvironment };
  if (role === 'configuration-server') return env;
  const others = Object.entries(env).filter(([name]) => !name.startsWith('SWITCHBACK_CATALOGUE_'));
  return Object.fromEntries(others);
}

function stopChild(child: ChildProcess): void {
  child.kill('SIGTERM');
  setTimeout(() => child.kill('SIGKILL'), STOP_MS).unref();
}

async function writeAtomically(file: string, content: object): Promise<void> {
  const half = `${file}.half`;
  await writeFile(half, JSON.stringify(content), { mode: 0o600 });
  await rename(half, file);
}
