/** Memory for reads whose results are used in the order in which they were begun. */

/** One piece of memory, handed out in rounds. Its length bounds what is read ahead. */
export class ReadRing {
  readonly #memory: Buffer;
  /** Where each read begins that holds memory, oldest first. */
  readonly #held: number[] = [];
  #next = 0;

  constructor(bytes: number) {
    this.#memory = Buffer.allocUnsafeSlow(bytes);
  }

  /** Null: so much is not free in one piece. */
  take(length: number): Buffer | null {
    const start = this.#place(length);
    if (start === null) return null;
    this.#held.push(start);
    this.#next = start + length;
    return this.#memory.subarray(start, this.#next);
  }

  /** Frees what was taken first. */
  giveOldest(): void {
    this.#held.shift();
  }

  /** An empty ring starts over, where the memory is warm. */
  #place(length: number): number | null {
    const [oldest] = this.#held;
    const size = this.#memory.length;
    if (oldest === undefined) return length <= size ? 0 : null;
    if (this.#next <= oldest) return this.#next + length <= oldest ? this.#next : null;
    if (this.#next + length <= size) return this.#next;
    return length <= oldest ? 0 : null;
  }
}
