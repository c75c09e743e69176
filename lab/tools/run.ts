/** Child processes that make tools: run to the end, output kept for the error message. */
import { spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

export interface RunResult {
  readonly ok: boolean;
  /** Last lines of what it printed, or why it did not start. */
  readonly tail: string;
}

const TAIL_CHARACTERS = 1500;

export function run(command: string, args: readonly string[]): Promise<RunResult> {
  return new Promise((resolve) => {
    let tail = '';
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    const keep = (chunk: Buffer) => (tail = (tail + chunk.toString()).slice(-TAIL_CHARACTERS));
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    child.on('error', (error) => resolve({ ok: false, tail: error.message }));
    child.on('close', (code) => resolve({ ok: code === 0, tail: tail.trim() }));
  });
}

/** Absolute path of an executable on PATH. */
export function onPath(name: string): string | undefined {
  const candidates = (process.env['PATH'] ?? '').split(delimiter).map((folder) => join(folder, name));
  return candidates.find(isExecutable);
}

export function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Says on stderr what is being made and how long it took. */
export async function announced<T>(what: string, make: () => Promise<T>): Promise<T> {
  process.stderr.write(`· ${what} …\n`);
  const startedAt = Date.now();
  const made = await make();
  process.stderr.write(`  done in ${((Date.now() - startedAt) / 1000).toFixed(1)} s\n`);
  return made;
}
