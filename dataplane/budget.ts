/** Bounds on what is under way at the same time. */

/** An amount of something (bytes, slots) that is handed out first come, first served. */
export class Budget {
  readonly #total: number;
  readonly #waiting: { readonly amount: number; readonly admit: () => void }[] = [];
  #used = 0;

  constructor(total: number) {
    this.#total = total;
  }

  /** Resolves when the amount is free; more than the total is admitted alone. Rejects with the signal's reason. */
  async acquire(amount: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.tryAcquire(amount)) return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const entry = { amount, admit: resolve };
    const onAbort = () => {
      const index = this.#waiting.indexOf(entry);
      if (index === -1) return;
      this.#waiting.splice(index, 1);
      reject(signal.reason as Error);
      this.#admitNext();
    };
    this.#waiting.push(entry);
    signal.addEventListener('abort', onAbort, { once: true });
    await promise.finally(() => signal.removeEventListener('abort', onAbort));
  }

  /** Takes the amount if it is free and nobody waits. */
  tryAcquire(amount: number): boolean {
    if (this.#waiting.length > 0 || !this.#fits(amount)) return false;
    this.#used += amount;
    return true;
  }

  release(amount: number): void {
    this.#used -= amount;
    this.#admitNext();
  }

  #fits(amount: number): boolean {
    return this.#used === 0 || this.#used + amount <= this.#total;
  }

  #admitNext(): void {
    for (let next = this.#waiting[0]; next !== undefined && this.#fits(next.amount);) {
      this.#waiting.shift();
      this.#used += next.amount;
      next.admit();
      next = this.#waiting[0];
    }
  }
}

/**
 * Runs `work` for every item, at most `atOnceMax` at a time; results are in the order of the items.
 * After a failure no further item is begun; the first failure is thrown once everything begun has ended.
 */
export async function mapBounded<T, R>(
  items: readonly T[],
  atOnceMax: number,
  work: (item: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  const failures: unknown[] = [];
  const queue = items.entries();
  const runOne = async () => {
    for (const [index, item] of queue) {
      try {
        results[index] = await work(item);
      } catch (error) {
        failures.push(error);
      }
      if (failures.length > 0) return;
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnceMax, items.length) }, runOne));
  if (failures.length > 0) throw failures[0];
  return results;
}
