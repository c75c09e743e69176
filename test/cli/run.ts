/** Runs one command in this process against streams of its own. */
import { PassThrough, Writable } from 'node:stream';
import type { Io } from '../../cli/io.ts';
import { run } from '../../cli/main.ts';
import type { RunningServer } from '../support/server.ts';

export interface Ran {
  readonly exit: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Aborted as Ctrl-C would. */
  readonly interrupt?: AbortSignal;
  /** Typed by a person at a terminal; absent: there is none. */
  readonly typed?: string;
  /** Called with everything written to standard output so far. */
  readonly onOutput?: (stdout: string) => void;
}

export async function runCli(argv: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const out = collect(options.onOutput);
  const err = collect();
  const io: Io = {
    stdin: keyboard(options.typed),
    stdout: out.stream,
    stderr: err.stream,
    env: { HOME: '/nonexistent', ...options.env },
    watchEveryMs: 5,
    interruptible: () => ({
      signal: options.interrupt ?? new AbortController().signal,
      release: () => undefined,
    }),
  };
  const exit = await run(argv, io);
  return { exit, stdout: out.text(), stderr: err.text() };
}

/** Environment of an operator who speaks to that server. */
export function operatorOf(server: RunningServer): Record<string, string> {
  return {
    SWITCHBACK_SERVER: server.url,
    SWITCHBACK_TOKEN_FILE: `${server.folder}/administrator.token`,
    SWITCHBACK_CA_FILE: `${server.folder}/tls/authority.pem`,
  };
}

function keyboard(typed: string | undefined): Io['stdin'] {
  const keys = new PassThrough();
  if (typed === undefined) return keys;
  keys.write(`${typed}\n`);
  return Object.assign(keys, { isTTY: true });
}

function collect(onOutput?: (all: string) => void) {
  let all = '';
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      all += chunk.toString();
      onOutput?.(all);
      done();
    },
  });
  return { stream, text: () => all };
}
