/**
 * Waits that outlive the call they were begun by: a call that answers for some machines leaves the others waiting, and
 * the next one joins them instead of asking everything again. Only a short cut: whoever finds no wait begins one, and
 * what it is about is found again by its name.
 */

export interface Waiter {
  readonly signal: AbortSignal;
  /** What is being waited for, for people. */
  report(what: string): void;
  /** What an operator has to decide first, for people; empty: nothing. */
  ask(question: string): void;
}

interface Wait<T> {
  readonly result: Promise<T>;
  readonly stop: AbortController;
  readonly waiters: Set<Waiter>;
  readonly said: { readonly what: string; readonly question?: string };
  /** Ends a wait that nobody has joined again. */
  forget?: NodeJS.Timeout;
}

/** Between two calls of a run pass moments; a worker under load needs some seconds. Whose run is gone ends soon. */
const FORGOTTEN_AFTER_MS = 15_000;

export class Waits<T> {
  readonly #waits = new Map<string, Wait<T>>();

  /**
   * Begins what nobody does already under this key. `leave` answers whether the waiter has only gone for a moment when
   * its signal is aborted; otherwise the last one to go ends the wait.
   */
  async join(key: string, waiter: Waiter, begin: (wait: Waiter) => Promise<T>): Promise<T> {
    const wait = this.#waits.get(key) ?? this.#begin(key, begin);
    clearTimeout(wait.forget);
    wait.waiters.add(waiter);
    if (wait.said.what !== '') waiter.report(wait.said.what);
    if (wait.said.question !== undefined) waiter.ask(wait.said.question);
    let isOver = false;
    try {
      const result = await Promise.race([wait.result, aborted(waiter.signal)]);
      isOver = true;
      return result;
    } finally {
      wait.waiters.delete(waiter);
      const isLeft = wait.waiters.size === 0;
      if (isOver) this.#end(key, wait);
      else if (isLeft && waiter.signal.reason === GONE_FOR_A_MOMENT) this.#keep(key, wait);
      else if (isLeft) this.#end(key, wait);
    }
  }

  #begin(key: string, begin: (wait: Waiter) => Promise<T>): Wait<T> {
    const stop = new AbortController();
    const waiters = new Set<Waiter>();
    const said: { what: string; question?: string } = { what: '' };
    const report = (what: string) => {
      said.what = what;
      for (const waiter of waiters) waiter.report(what);
    };
    const ask = (question: string) => {
      said.question = question;
      for (const waiter of waiters) waiter.ask(question);
    };
    const result = begin({ signal: stop.signal, report, ask });
    // It may fail while nobody waits; whoever joins then hears of it.
    result.catch(() => undefined);
    const wait: Wait<T> = { result, stop, waiters, said };
    this.#waits.set(key, wait);
    return wait;
  }

  #keep(key: string, wait: Wait<T>): void {
    wait.forget = setTimeout(() => this.#end(key, wait), FORGOTTEN_AFTER_MS).unref();
  }

  #end(key: string, wait: Wait<T>): void {
    clearTimeout(wait.forget);
    wait.stop.abort();
    if (this.#waits.get(key) === wait) this.#waits.delete(key);
  }
}

/** Why a waiter's signal is aborted that will come again. */
export const GONE_FOR_A_MOMENT = Symbol('gone for a moment');

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    const fail = () => reject(signal.reason instanceof Error ? signal.reason : new Error('aborted'));
    if (signal.aborted) fail();
    else signal.addEventListener('abort', fail, { once: true });
  });
}
