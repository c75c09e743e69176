/** What every role's process has in common: `--config FILE`, a log, an orderly end. */
import { parseArgs } from 'node:util';
import type { Logger } from 'pino';
import { loadConfig, type Config } from '../config/load.ts';
import { DrError } from '../domain/errors.ts';
import { createLog, installTemporalLog } from './log.ts';

export interface RoleContext {
  readonly config: Config;
  readonly log: Logger;
  /** Aborted when the process is told to stop, or its supervisor is gone. */
  readonly signal: AbortSignal;
}

export type Role = (context: RoleContext) => Promise<void>;

/** Runs one role until `signal`; for a program that has read its configuration already. */
export async function runRole(name: string, role: Role, config: Config, signal: AbortSignal): Promise<void> {
  const log = createLog(name, config.log.level);
  installTemporalLog(log);
  await role({ config, log, signal });
}

/** Runs one role as this process; exit code 0 after a requested stop, 1 after a failure. */
export async function runRoleProcess(name: string, role: Role): Promise<void> {
  const { values } = parseArgs({ options: { config: { type: 'string' } } });
  const stop = new AbortController();
  for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, () => stop.abort());
  // Started by the appliance: its end closes the channel, and an orphan must not go on working unseen.
  process.once('disconnect', () => stop.abort());
  let log = createLog(name, 'info');
  try {
    const file = values.config === undefined ? {} : { file: values.config };
    const config = await loadConfig({ ...file, env: process.env, flags: {} });
    log = createLog(name, config.log.level);
    await runRole(name, role, config, stop.signal);
    process.exitCode = 0;
  } catch (error) {
    if (!stop.signal.aborted) {
      const remedy = error instanceof DrError ? error.remedy : undefined;
      log.fatal({ err: error, remedy }, 'stopped by a failure');
      process.exitCode = 1;
    }
  }
  process.exit();
}
