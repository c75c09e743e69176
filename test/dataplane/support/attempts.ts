/** Attempts that die or freeze at a chosen request to the storage account. */
import type { VaultStorage } from '../../../domain/ports.ts';

/**
 * `before`: dead before the request is sent. `after`: the request is carried out, its answer is lost. `freeze`: this request and
 * all later ones wait until somebody wakes the attempt.
 */
export interface Cut {
  readonly mode: 'before' | 'after' | 'freeze';
  /** Counted from 1; or the first one of which "<call> <blob>" matches. */
  readonly at: number | RegExp;
}

export class Crash extends Error {
  override name = 'Crash';
}

type Call<T> = () => Promise<T>;

export class Attempt {
  readonly storage: VaultStorage;
  readonly #cut: Cut | null;
  readonly #ended = new AbortController();
  readonly #frozen = Promise.withResolvers<void>();
  readonly #awake = Promise.withResolvers<void>();
  #requests = 0;
  #isCut = false;
  #isDead = false;

  constructor(storage: VaultStorage, cut: Cut | null) {
    this.#cut = cut;
    this.storage = gated(storage, (what, call) => this.#pass(what, call));
  }

  get signal(): AbortSignal {
    return this.#ended.signal;
  }

  /** Resolves when a request waits for `wake`. */
  get frozen(): Promise<void> {
    return this.#frozen.promise;
  }

  wake(): void {
    this.#awake.resolve();
  }

  /** Runs the work; what it holds, such as leases, is no longer renewed afterwards. */
  async run<T>(work: (attempt: Attempt) => Promise<T>): Promise<T> {
    try {
      return await work(this);
    } finally {
      this.#ended.abort(new Crash('over'));
    }
  }

  async #pass<T>(what: string, call: Call<T>): Promise<T> {
    if (this.#isDead) throw new Crash('dead');
    this.#requests += 1;
    this.#isCut ||= this.#isHere(what);
    if (!this.#isCut || this.#cut === null) return call();
    if (this.#cut.mode === 'freeze') {
      this.#frozen.resolve();
      await this.#awake.promise;
      return call();
    }
    this.#isDead = true;
    if (this.#cut.mode === 'after') await call();
    throw new Crash(`${this.#cut.mode} ${what}`);
  }

  #isHere(what: string): boolean {
    const at = this.#cut?.at ?? Infinity;
    return typeof at === 'number' ? this.#requests >= at : at.test(what);
  }
}

type Gate = <T>(what: string, call: Call<T>) => Promise<T>;

/** Every request goes through the gate, those to replicas and by their writers included; a listing is one request. */
function gated<T extends object>(target: T, gate: Gate): T {
  return new Proxy(target, {
    get(inner, name) {
      const value: unknown = Reflect.get(inner, name, inner);
      if (typeof value !== 'function') return value;
      const call = (args: unknown[]): unknown => Reflect.apply(value, inner, args);
      if (name === 'replica') return (...args: unknown[]) => gated(call(args) as object, gate);
      return (...args: unknown[]) => {
        const what = `${String(name)} ${String(args[0])}`;
        if (name === 'list' || name === 'ranges') {
          return atOnce(gate, what, call(args) as AsyncIterable<unknown>);
        }
        const answer = gate(what, () => call(args) as Promise<unknown>);
        return name === 'fence' ? answer.then((writer) => gated(writer as object, gate)) : answer;
      };
    },
  });
}

async function* atOnce(gate: Gate, what: string, items: AsyncIterable<unknown>) {
  yield* await gate(what, () => Array.fromAsync(items));
}
