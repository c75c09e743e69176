/** Runs the real command line, `switchback …`, as a process of its own against a lab. */
import { spawn } from 'node:child_process';
import { productEnvironment, switchbackProgram } from './processes/product.ts';
import type { LabPaths } from './folder.ts';

export interface CliResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CliOptions {
  /** Called with what it prints, as it prints it; a terminal is not passed on. */
  readonly onOutput?: (text: string) => void;
  /** SIGTERM after this; default 10 minutes. */
  readonly timeoutMs?: number;
  /** Aborting ends it. */
  readonly signal?: AbortSignal;
}

const TIMEOUT_MS = 600_000;

export function runCli(
  paths: Pick<LabPaths, 'profile'>,
  args: readonly string[],
  { onOutput, signal, timeoutMs = TIMEOUT_MS }: CliOptions = {},
): Promise<CliResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [switchbackProgram, ...args], {
      env: { ...productEnvironment(), SWITCHBACK_PROFILE: paths.profile },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: timeoutMs,
      ...(signal === undefined ? {} : { signal }),
    });
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk.toString();
      onOutput?.(chunk.toString());
    });
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk.toString();
      onOutput?.(chunk.toString());
    });
    child.once('error', reject);
    child.once('close', (code) => resolve({ exitCode: code ?? -1, stdout, stderr }));
  });
}
