/**
 * Runs a program without a shell, in a process group of its own, and leaves nothing of that group behind: at the end
 * of its time, when the caller gives up, and also when the program itself has ended but left others running.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { Tail } from './tail.ts';

export interface Program {
  readonly file: string;
  readonly args: readonly string[];
  /** The whole environment: nothing is inherited. */
  readonly environment: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  /** Between SIGTERM and SIGKILL. */
  readonly graceMs: number;
  /** Bytes of output, and as many of errors; the last ones are kept. */
  readonly outputBytesMax: number;
  /** Values that the output must not show. */
  readonly secrets: readonly string[];
}

export interface ProgramEnd {
  /** Null: a signal ended it. */
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly isTimedOut: boolean;
  readonly output: string;
  readonly errors: string;
  readonly ms: number;
}

/** A process that left the group may hold the pipes open; nobody waits for it. */
const PIPES_MS_MAX = 1_000;

const groups = new Set<number>();
let isWatched = false;

/** The caller's abort ends the program like its timeout does, and is then thrown. @throws Error when it cannot be started */
export async function runProgram(program: Program, signal: AbortSignal): Promise<ProgramEnd> {
  signal.throwIfAborted();
  const from = performance.now();
  const child = spawn(program.file, program.args, {
    cwd: '/',
    env: { ...program.environment },
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [output, errors] = [child.stdout, child.stderr].map((stream) => {
    const tail = new Tail(program.outputBytesMax, program.secrets);
    stream.on('data', (chunk: Buffer) => tail.push(chunk));
    return tail;
  }) as [Tail, Tail];
  const closed = once(child, 'close');
  closed.catch(() => undefined);
  await once(child, 'spawn');
  const group = child.pid ?? 0;
  keep(group);
  try {
    const isTimedOut = await endInTime(child, group, program, signal);
    signalGroup(group, 'SIGKILL');
    await Promise.race([closed, sleep(PIPES_MS_MAX, undefined, { ref: false })]);
    signal.throwIfAborted();
    const { exitCode, signalCode } = child;
    const ms = Math.round(performance.now() - from);
    return { exitCode, signal: signalCode, isTimedOut, output: output.text(), errors: errors.text(), ms };
  } finally {
    groups.delete(group);
    child.stdout.destroy();
    child.stderr.destroy();
  }
}

/** @returns whether its time was over before it had ended */
async function endInTime(
  child: ChildProcess,
  group: number,
  { timeoutMs, graceMs }: Program,
  signal: AbortSignal,
): Promise<boolean> {
  const exited =
    child.exitCode === null && child.signalCode === null ? once(child, 'exit') : Promise.resolve();
  let isTimedOut = false;
  let kill: NodeJS.Timeout | undefined;
  const stop = () => {
    signalGroup(group, 'SIGTERM');
    kill ??= setTimeout(() => signalGroup(group, 'SIGKILL'), graceMs);
  };
  const timer = setTimeout(() => {
    isTimedOut = true;
    stop();
  }, timeoutMs);
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  try {
    await exited;
    return isTimedOut;
  } finally {
    clearTimeout(timer);
    clearTimeout(kill);
    signal.removeEventListener('abort', stop);
  }
}

function signalGroup(group: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-group, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** When this process ends in the middle of a step, its programs end with it. */
function keep(group: number): void {
  groups.add(group);
  if (isWatched) return;
  isWatched = true;
  process.once('exit', () => {
    for (const group of groups) signalGroup(group, 'SIGKILL');
  });
}
