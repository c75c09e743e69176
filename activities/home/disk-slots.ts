/** Disks that one master target writes at the same time. */
import { Budget } from '../../dataplane/budget.ts';

/** Site Recovery's bound for a master target: disk slots of its controllers. */
export const DISK_SLOTS = 60;

export class DiskSlots {
  readonly #budget = new Budget(DISK_SLOTS);
  #used = 0;

  get used(): number {
    return this.#used;
  }

  /** Waits until so many are free; a machine with more disks than there are slots is admitted alone. */
  async during<R>(count: number, signal: AbortSignal, work: () => Promise<R>): Promise<R> {
    await this.#budget.acquire(count, signal);
    this.#used += count;
    try {
      return await work();
    } finally {
      this.#used -= count;
      this.#budget.release(count);
    }
  }
}
