/** Runs a program of the repository with its output shown. */
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { repositoryRoot } from '../lab/tools/cache.ts';

/** Exit code; a signal counts as 128 and its number. */
export function run(command: string, args: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: repositoryRoot, stdio: 'inherit' });
    const forward = (signal: NodeJS.Signals) => child.kill(signal);
    process.on('SIGINT', forward).on('SIGTERM', forward);
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      process.off('SIGINT', forward).off('SIGTERM', forward);
      resolve(code ?? 128 + constants.signals[signal ?? 'SIGTERM']);
    });
  });
}

/** Prints a failure the way an operator should meet it: message and remedy, no stack trace. */
export function tell(error: unknown): void {
  const { message, remedy } = error as Error & { readonly remedy?: string };
  process.stderr.write(`${message}\n${remedy === undefined ? '' : `${remedy}\n`}`);
}
