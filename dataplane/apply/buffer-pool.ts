/** Buffers that are used again and again: fresh memory costs ten times what touching it again does. */
import { Budget } from '../budget.ts';

export class BufferPool {
  readonly #bytes: number;
  readonly #slots: Budget;
  readonly #free: Buffer[] = [];

  /** At most `countMax` buffers of `bytes` each. */
  constructor(bytes: number, countMax: number) {
    this.#bytes = bytes;
    this.#slots = new Budget(countMax);
  }

  /** Waits for a free one, first come, first served. What it holds is undefined. */
  async take(signal: AbortSignal): Promise<Buffer> {
    await this.#slots.acquire(1, signal);
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(this.#bytes);
  }

  give(buffer: Buffer): void {
    this.#free.push(buffer);
    this.#slots.release(1);
  }
}
