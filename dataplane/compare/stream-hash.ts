/** SHA-256 of a stream, made in a thread of its own: a hash of one stream cannot be made by two. */
import { Worker } from 'node:worker_threads';
import { DrError } from '../../domain/errors.ts';
import { Budget } from '../budget.ts';
import { sharedMemory, unitSlabs } from '../threads/slabs.ts';
import type { HashPart } from './hash-thread.ts';

/** Waiting in the thread while further ones are read. */
const PARTS_AHEAD = 4;
const RESOURCE_LIMITS = { maxYoungGenerationSizeMb: 4, maxOldGenerationSizeMb: 16 };

type Answer = PromiseWithResolvers<string | null>;

/** `add` in order, then `digest`; `close` in any ending. Memory: four parts of a MiB. */
export class StreamHash {
  readonly #worker = new Worker(new URL('hash-thread.ts', import.meta.url), {
    name: 'hash',
    execArgv: [],
    env: {},
    resourceLimits: RESOURCE_LIMITS,
  });
  readonly #slots = new Budget(PARTS_AHEAD);
  readonly #answers: Answer[] = [];
  #failure: DrError | null = null;

  constructor() {
    this.#worker.on('message', (answer: string | null) => this.#answers.shift()?.resolve(answer));
    this.#worker.on('error', (error: unknown) => this.#fail(`the hash thread failed: ${String(error)}`));
    this.#worker.once('exit', () => this.#fail('the hash thread ended'));
  }

  /** Takes `bytes` bytes of `data`, at most a MiB, or that many zeros; copies them before it resolves. */
  async add(data: Uint8Array | null, bytes: number, signal: AbortSignal): Promise<void> {
    await this.#slots.acquire(1, signal);
    const slab = data === null ? null : await unitSlabs.take(signal);
    if (data !== null) slab?.set(data);
    const free = () => {
      if (slab !== null) unitSlabs.give(slab);
      this.#slots.release(1);
    };
    const body = slab === null ? null : sharedMemory(slab);
    // A failure is met by the next call.
    this.#ask({ body, bytes }).then(free, free);
    if (this.#failure !== null) throw this.#failure;
  }

  /** Hexadecimal. @throws DR_INTERNAL when the thread ended before */
  async digest(): Promise<string> {
    return (await this.#ask(null)) ?? '';
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }

  #ask(part: HashPart | null): Promise<string | null> {
    if (this.#failure !== null) return Promise.reject(this.#failure);
    const answer: Answer = Promise.withResolvers();
    this.#answers.push(answer);
    this.#worker.postMessage(part);
    return answer.promise;
  }

  #fail(reason: string): void {
    this.#failure ??= new DrError('DR_INTERNAL', { reason });
    for (const answer of this.#answers.splice(0)) answer.reject(this.#failure);
  }
}
