/** Gathers neighbouring writes into large requests and keeps a few of them in flight. */
import { MiB } from '../../domain/units.ts';
import { Budget } from '../budget.ts';

/** Azure's bound for one Put Page; every request costs the same, so bigger is better. */
const PUT_BYTES_MAX = 4 * MiB;
const PUTS_AT_ONCE = 4;

/** What records are written to: a replica, or a disk at home. Requests of at most 4 MiB, several at a time, never overlapping. */
export interface RecordTarget {
  write(offset: number, bytes: Uint8Array): Promise<void>;
  /** The range reads as zeros afterwards; no bound on its length. */
  clear(offset: number, length: number): Promise<void>;
}

/** Later calls win where ranges overlap. Memory: at most five buffers of 4 MiB. */
export class PageWriter {
  readonly #target: RecordTarget;
  readonly #signal: AbortSignal;
  readonly #slots = new Budget(PUTS_AT_ONCE);
  readonly #inFlight = new Set<Promise<void>>();
  readonly #free: Buffer[] = [];
  #batch: { readonly buffer: Buffer; readonly offset: number; length: number } | null = null;
  /** Everything begun so far ends before this offset; a step back may overlap it. */
  #endOffset = 0;
  #failure: { readonly error: unknown } | null = null;

  constructor(target: RecordTarget, signal: AbortSignal) {
    this.#target = target;
    this.#signal = signal;
  }

  /** Copies `data` before it returns. */
  async write(offset: number, data: Uint8Array): Promise<void> {
    for (let done = 0; done < data.length;) {
      const batch = await this.#batchFor(offset + done);
      const length = Math.min(data.length - done, PUT_BYTES_MAX - batch.length);
      batch.buffer.set(data.subarray(done, done + length), batch.length);
      batch.length += length;
      done += length;
    }
  }

  async clear(offset: number, length: number): Promise<void> {
    await this.#sendBatch();
    await this.#send(offset, length, () => this.#target.clear(offset, length));
  }

  /** Resolves when everything is on the blob. @throws the first failure of any request */
  async flush(): Promise<void> {
    await this.#sendBatch();
    await this.settled();
    this.#checkFailure();
  }

  /** Resolves when nothing is in flight, whatever became of it. */
  async settled(): Promise<void> {
    await Promise.all(this.#inFlight);
  }

  async #batchFor(offset: number): Promise<{ readonly buffer: Buffer; length: number }> {
    const open = this.#batch;
    if (open !== null && open.offset + open.length === offset && open.length < PUT_BYTES_MAX) return open;
    await this.#sendBatch();
    this.#batch = { buffer: this.#free.pop() ?? Buffer.allocUnsafeSlow(PUT_BYTES_MAX), offset, length: 0 };
    return this.#batch;
  }

  async #sendBatch(): Promise<void> {
    const batch = this.#batch;
    if (batch === null) return;
    this.#batch = null;
    const { buffer, offset, length } = batch;
    await this.#send(offset, length, async () => {
      await this.#target.write(offset, buffer.subarray(0, length));
      this.#free.push(buffer);
    });
  }

  async #send(offset: number, length: number, request: () => Promise<void>): Promise<void> {
    if (offset < this.#endOffset) await this.settled();
    this.#checkFailure();
    await this.#slots.acquire(1, this.#signal);
    this.#endOffset = offset + length;
    const sending = request()
      .catch((error: unknown) => {
        this.#failure ??= { error };
      })
      .finally(() => {
        this.#inFlight.delete(sending);
        this.#slots.release(1);
      });
    this.#inFlight.add(sending);
  }

  #checkFailure(): void {
    if (this.#failure !== null) throw this.#failure.error;
  }
}
