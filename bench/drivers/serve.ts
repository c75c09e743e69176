/** A driver's side of the line to the bench: one JSON message a line, answers in any order. */
import { createInterface } from 'node:readline';

export interface Message {
  readonly id: number;
  readonly call: string;
  readonly input: unknown;
}

export interface Answer {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: string;
}

type Handlers = Readonly<Record<string, (input: never) => Promise<unknown>>>;

/** Serves until the bench closes the line, then lets `end` tidy up and exits. */
export async function serve(
  handlers: Handlers,
  end: () => Promise<void> = async () => undefined,
): Promise<void> {
  const answer = (message: Answer) => void process.stdout.write(`${JSON.stringify(message)}\n`);
  for await (const line of createInterface({ input: process.stdin })) {
    const { id, call, input } = JSON.parse(line) as Message;
    const handle = handlers[call];
    if (handle === undefined) {
      answer({ id, error: `no call ${call}` });
      continue;
    }
    handle(input as never).then(
      (result) => answer({ id, result: result ?? null }),
      (error: unknown) => answer({ id, error: (error as Error).stack ?? String(error) }),
    );
  }
  await end();
  process.exit();
}

export interface Measured {
  /** Milliseconds since 1970, the same clock in every process of the machine. */
  readonly startedAt: number;
  readonly endedAt: number;
  readonly wallSeconds: number;
  /** Of this process, all its threads. */
  readonly cpuSeconds: number;
}

export async function measured<T>(work: () => Promise<T>): Promise<Measured & { readonly result: T }> {
  const cpuBefore = process.cpuUsage();
  const startedAt = now();
  const result = await work();
  const endedAt = now();
  const { user, system } = process.cpuUsage(cpuBefore);
  const wallSeconds = (endedAt - startedAt) / 1_000;
  return { startedAt, endedAt, wallSeconds, cpuSeconds: (user + system) / 1e6, result };
}

function now(): number {
  return performance.timeOrigin + performance.now();
}
