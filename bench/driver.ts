/** A process of the product, seen from the bench: started in a namespace, asked over its standard input, ended with it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { guard, unguard } from '../lab/processes/guard.ts';
import { identify, stopProcess } from '../lab/processes/pid.ts';
import { repositoryRoot } from '../lab/tools/cache.ts';
import { roleMemoryEnvironment, roleNodeOptions } from '../workers/role-process.ts';
import type { Answer, Message } from './drivers/serve.ts';
import type { Namespace } from './netns.ts';

const TAIL_CHARACTERS = 2_000;
const END_MS = 20_000;

export interface Driver<Calls extends object> {
  readonly pid: number;
  /** @throws Error with what the driver says */
  call<Name extends keyof Calls & string>(
    name: Name,
    ...input: Calls[Name] extends (input: infer Input) => unknown ? [Input] : []
  ): Promise<Result<Calls[Name]>>;
  /** The driver ends by itself, so that it can write its profile. */
  stop(): Promise<void>;
}

type Result<Call> = Call extends (...input: never[]) => infer R ? Awaited<R> : never;

export interface DriverOptions {
  readonly namespace: Namespace | null;
  /** Below `bench/drivers/`, without its ending. */
  readonly program: string;
  readonly folder: string;
  /** Calls under way fail with its reason. */
  readonly signal: AbortSignal;
  readonly env?: NodeJS.ProcessEnv;
  /** Options of Node itself. */
  readonly nodeOptions?: readonly string[];
}

interface Waiting {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
}

export async function startDriver<Calls extends object>(options: DriverOptions): Promise<Driver<Calls>> {
  const { namespace, program, folder, signal, env, nodeOptions = [] } = options;
  const logFile = join(folder, `${program}.log`);
  const log = openSync(logFile, 'a', 0o600);
  const file = join(repositoryRoot, 'bench/drivers', `${program}.ts`);
  const command = [
    ...(namespace?.prefix ?? []),
    process.execPath,
    ...roleNodeOptions('process-server'),
    ...nodeOptions,
    file,
  ];
  const child = spawn(command[0] ?? '', command.slice(1), {
    env: { ...process.env, ...roleMemoryEnvironment, ...env },
    cwd: folder,
    detached: true,
    stdio: ['pipe', 'pipe', log],
  });
  closeSync(log);
  const { pid = 0, stdin, stdout } = child;
  if (pid === 0 || stdin === null || stdout === null) throw new Error(`${program} did not start`);
  guard(pid);
  const waiting = new Map<number, Waiting>();
  let nextId = 1;
  const failAll = (error: Error) => {
    for (const { reject } of waiting.values()) reject(error);
    waiting.clear();
  };
  const onAbort = () => failAll(signal.reason as Error);
  signal.addEventListener('abort', onAbort);
  const exited = once(child, 'exit').then(() => {
    unguard(pid);
    signal.removeEventListener('abort', onAbort);
    const tail = readFileSync(logFile, 'utf8').slice(-TAIL_CHARACTERS).trim();
    failAll(new Error(`${program} ended: ${tail}`));
  });
  stdin.on('error', () => undefined);
  createInterface({ input: stdout }).on('line', (line) => {
    const answer = JSON.parse(line) as Answer;
    const asked = waiting.get(answer.id);
    waiting.delete(answer.id);
    if (answer.error === undefined) asked?.resolve(answer.result);
    else asked?.reject(new Error(`${program}: ${answer.error}`));
  });
  return {
    pid,
    call(name, ...input) {
      const message: Message = { id: nextId, call: name, input: input[0] ?? null };
      nextId += 1;
      const { promise, resolve, reject } = Promise.withResolvers<unknown>();
      waiting.set(message.id, { resolve, reject });
      // Whoever waits for several calls meets the first failure; the others have nobody to tell.
      promise.catch(() => undefined);
      stdin.write(`${JSON.stringify(message)}\n`);
      return promise as Promise<never>;
    },
    async stop() {
      stdin.end();
      const timer = setTimeout(() => void stopProcess(identify(pid)), END_MS);
      await exited;
      clearTimeout(timer);
    },
  };
}
