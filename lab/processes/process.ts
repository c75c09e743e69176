/** One long-running program of the practice ground: started, watched until ready, stopped with a bound. */
import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { waitFor } from '../wait.ts';
import { guard, unguard } from './guard.ts';
import { identify, signal as sendSignal, stopProcess, type ProcessIdentity } from './pid.ts';

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface Running {
  readonly name: string;
  readonly pid: number;
  readonly identity: ProcessIdentity;
  readonly logFile: string;
  readonly exited: Promise<Exit>;
  /** SIGTERM, after 15 s SIGKILL. Resolves when the process is gone. */
  stop(): Promise<void>;
  /** Sends the signal to this process only. */
  kill(signal: NodeJS.Signals): void;
  /** From now on it goes on when this process ends. */
  leaveRunning(): void;
}

export interface ProcessOptions<T> {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  /** Output is appended here. */
  readonly logFile: string;
  /** Looks once; undefined: not ready yet. */
  readonly ready: () => Promise<T | undefined>;
  readonly readyWithinMs: number;
}

const LOG_TAIL_LINES = 15;

/** @throws Error with the end of its log when the process ends or is not ready in time; it is stopped then. */
export async function startProcess<T>(options: ProcessOptions<T>): Promise<Running & { readonly facts: T }> {
  const running = launch(options);
  let exit: Exit | undefined;
  void running.exited.then((seen) => (exit = seen));
  const look = async () => {
    if (exit !== undefined) throw new Error(`it ended with ${exit.signal ?? `exit code ${exit.code}`}`);
    return options.ready();
  };
  try {
    const facts = await waitFor(look, { what: 'it to be ready', withinMs: options.readyWithinMs });
    return { ...running, facts };
  } catch (error) {
    await running.stop();
    throw new Error(
      `${options.name} did not start: ${(error as Error).message}\n${logTail(options.logFile)}`,
      { cause: error },
    );
  }
}

function launch({ name, command, args, env, logFile }: ProcessOptions<unknown>): Running {
  mkdirSync(dirname(logFile), { recursive: true });
  const log = openSync(logFile, 'a', 0o600);
  // Its own process group: a Ctrl-C in the terminal reaches the lab's owner, who stops things in order.
  const child = spawn(command, args, { env, detached: true, stdio: ['ignore', log, log] });
  closeSync(log);
  const exited = new Promise<Exit>((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal }));
    child.once('error', () => resolve({ code: 127, signal: null }));
  });
  const pid = child.pid ?? 0;
  if (pid === 0) throw new Error(`${name} did not start: ${command} cannot be run`);
  guard(pid);
  void exited.then(() => unguard(pid));
  child.unref();
  const identity = identify(pid);
  return {
    name,
    pid,
    identity,
    logFile,
    exited,
    stop: () => stopProcess(identity),
    kill: (signal) => sendSignal(pid, signal),
    leaveRunning: () => unguard(pid),
  };
}

/** `{ listen: 'a', state: 'b' }` → `--listen a --state b`. */
export function flags(values: Readonly<Record<string, string>>): string[] {
  return Object.entries(values).flatMap(([name, value]) => [`--${name}`, value]);
}

function logTail(file: string): string {
  return readFileSync(file, 'utf8').trimEnd().split('\n').slice(-LOG_TAIL_LINES).join('\n');
}
