/** Programs that run to their end. */
import { spawn } from 'node:child_process';
import { openSync, closeSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { treeRssBytes } from './processes.ts';

const TAIL_CHARACTERS = 2_000;
const RSS_EVERY_MS = 100;

/** What it printed. @throws Error with the end of its output when it fails */
export async function run(command: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    let [output, errors] = ['', ''];
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.stderr.on(
      'data',
      (chunk: Buffer) => (errors = (errors + chunk.toString()).slice(-TAIL_CHARACTERS)),
    );
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) resolve(output);
      else reject(new Error(`${command} ${args.join(' ')} ended with ${code}: ${errors.trim()}`));
    });
  });
}

export interface TimedRun {
  readonly wallSeconds: number;
  /** User and system time of the program and of all it started and waited for. */
  readonly cpuSeconds: number;
  /** The most it and all it started held at once, looked at ten times a second. */
  readonly rssBytes: number;
}

export interface TimedCommand {
  readonly prefix: readonly string[];
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  /** Its output goes there. */
  readonly folder: string;
  readonly signal: AbortSignal;
}

/** The shell's own `time`: it counts children too, in milliseconds. @throws Error with the end of its output */
export async function timed(request: TimedCommand): Promise<TimedRun> {
  const { prefix, command, args, env, folder, signal } = request;
  const outputFile = join(folder, 'output.log');
  const output = openSync(outputFile, 'w', 0o600);
  const script = 'TIMEFORMAT="%3R %3U %3S"; time "$@" 2>&4 4>&-';
  const [first = 'bash', ...rest] = [...prefix, 'bash', '-c', script, 'timed', command, ...args];
  const child = spawn(first, rest, { env, signal, stdio: ['ignore', output, 'pipe', 'ignore', output] });
  closeSync(output);
  const watch = watchRss(child.pid ?? 0);
  let times = '';
  child.stderr?.on('data', (chunk: Buffer) => (times += chunk.toString()));
  try {
    const code = await new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', resolve);
    });
    if (code !== 0) {
      const tail = readFileSync(outputFile, 'utf8').slice(-TAIL_CHARACTERS).trim();
      throw new Error(`${command} ${args.join(' ')} ended with ${String(code)}: ${tail}`);
    }
  } finally {
    clearInterval(watch.timer);
  }
  const [wall = 0, user = 0, system = 0] = times.trim().split(/\s+/).slice(-3).map(Number);
  return { wallSeconds: wall, cpuSeconds: user + system, rssBytes: watch.most() };
}

function watchRss(pid: number): { readonly timer: NodeJS.Timeout; most(): number } {
  let most = 0;
  const timer = setInterval(() => (most = Math.max(most, treeRssBytes(pid))), RSS_EVERY_MS);
  return { timer, most: () => most };
}
