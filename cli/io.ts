/** The world around a command: streams, environment, Ctrl-C. Tests pass their own. */
import type { Readable, Writable } from 'node:stream';

export interface Io {
  readonly stdin: Readable & { readonly isTTY?: boolean };
  readonly stdout: Writable & { readonly isTTY?: boolean; readonly rows?: number };
  readonly stderr: Writable;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Until released, Ctrl-C and SIGTERM abort the signal instead of ending the process. */
  readonly interruptible: () => { readonly signal: AbortSignal; readonly release: () => void };
  /** Time between two looks at a watched job. */
  readonly watchEveryMs: number;
}

export function processIo(): Io {
  return {
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    watchEveryMs: 500,
    interruptible() {
      const controller = new AbortController();
      const abort = () => controller.abort();
      const signals = ['SIGINT', 'SIGTERM'] as const;
      for (const signal of signals) process.once(signal, abort);
      return {
        signal: controller.signal,
        release: () => signals.forEach((signal) => process.off(signal, abort)),
      };
    },
  };
}
