/** The programs of a database run, found before anything is started. */
import { execFile } from 'node:child_process';
import { DrError } from '../../domain/errors.ts';
import { debianTool, installMissing, type DebianTool } from '../../lab/tools/debian.ts';
import { findPrograms, UNPRIVILEGED } from '../../test/support/postgres.ts';

const debianTools = ['nbdfuse', 'mke2fs', 'e2fsck', 'filefrag'] as const satisfies readonly DebianTool[];
const OUTPUT_BYTES_MAX = 64 * 2 ** 20;

export type Tools = Readonly<Record<(typeof debianTools)[number], string>> & {
  /** Folder of PostgreSQL's programs. */
  readonly postgres: string;
};

/** @throws DR_TOOL_MISSING with the command that brings it */
export async function findTools(): Promise<Tools> {
  await installMissing(debianTools);
  const postgres = await findPrograms(['initdb', 'postgres', 'pgbench']);
  if (postgres === null) {
    const reason = 'initdb, postgres and pgbench were not found; run: apt-get install postgresql';
    throw new DrError('DR_TOOL_MISSING', { tool: 'postgres', reason });
  }
  const found = debianTools.map((tool) => [tool, debianTool(tool)]);
  return { ...(Object.fromEntries(found) as Record<(typeof debianTools)[number], string>), postgres };
}

/** A command line that runs as the user PostgreSQL accepts. */
export function unprivileged(program: string, args: readonly string[]): [string, string[]] {
  const user = ['--reuid', String(UNPRIVILEGED), '--regid', String(UNPRIVILEGED), '--clear-groups'];
  return ['setpriv', [...user, program, ...args]];
}

export interface Ended {
  readonly code: number;
  /** What it printed on both streams. */
  readonly output: string;
}

/** Runs to the end, whatever its exit code. @throws Error when it cannot be run */
export function attempt(program: string, args: readonly string[]): Promise<Ended> {
  return new Promise((resolve, reject) => {
    // Their messages are read.
    const env = { ...process.env, LC_ALL: 'C' };
    execFile(program, args, { env, maxBuffer: OUTPUT_BYTES_MAX }, (error, stdout, stderr) => {
      const code = error === null ? 0 : error.code;
      if (typeof code === 'number') resolve({ code, output: `${stderr}${stdout}` });
      else reject(error ?? new Error(`${program} was ended`));
    });
  });
}

/** @throws Error with what it printed unless its exit code is 0 */
export async function must(program: string, args: readonly string[]): Promise<string> {
  const { code, output } = await attempt(program, args);
  if (code !== 0) throw new Error(`${program} ${args.join(' ')}: exit code ${code}\n${output}`);
  return output;
}
