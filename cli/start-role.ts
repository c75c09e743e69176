/** Starts a role of the product in this process, from a configuration file. */
import { resolve } from 'node:path';
import { loadConfig } from '../config/load.ts';
import type { Role } from '../workers/role.ts';
import type { Cli } from './cli.ts';

export interface StartOptions {
  readonly config: string;
  /** Settings by path. */
  readonly set: Readonly<Record<string, string>>;
}

/** Runs until interrupted. `load` brings the role's code only when it is started. */
export async function startRole(
  cli: Cli,
  { config: file, set }: StartOptions,
  name: string,
  load: () => Promise<Role>,
): Promise<void> {
  const config = await loadConfig({ file: resolve(file), env: cli.io.env, flags: set });
  const role = await load();
  const { runRole } = await import('../workers/role.ts');
  const { signal, release } = cli.io.interruptible();
  try {
    await runRole(name, role, config, signal);
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    release();
  }
}
