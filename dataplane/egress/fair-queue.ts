/**
 * Start-time fair queueing (Goyal, Vin, Cheng 1996): flows that wait are served in proportion to their weights, and a
 * flow that comes new is served next. Every flow with a weight above zero gets its share, so none starves.
 */

interface Entry<T> {
  readonly flow: string;
  readonly start: number;
  readonly weight: number;
  readonly value: T;
}

export class FairQueue<T> {
  readonly #entries: Entry<T>[] = [];
  /** Where each flow's last entry ends in virtual time. */
  readonly #ends = new Map<string, number>();
  #now = 0;

  get length(): number {
    return this.#entries.length;
  }

  push(flow: string, weight: number, size: number, value: T): void {
    const start = Math.max(this.#now, this.#ends.get(flow) ?? 0);
    this.#ends.set(flow, start + size / weight);
    this.#entries.push({ flow, start, weight, value });
  }

  /** Of entries that begin together the heavier one, then the older one. */
  pop(): T | undefined {
    let next = 0;
    for (const [index, entry] of this.#entries.entries()) {
      const best = this.#entries[next];
      if (best === undefined) break;
      const isEarlier =
        entry.start < best.start || (entry.start === best.start && entry.weight > best.weight);
      if (isEarlier) next = index;
    }
    const [entry] = this.#entries.splice(next, 1);
    if (entry !== undefined) this.#now = entry.start;
    this.#forget();
    return entry?.value;
  }

  /** Takes out every entry that `isGone` names. */
  remove(isGone: (value: T) => boolean): T[] {
    const gone = this.#entries.filter(({ value }) => isGone(value));
    for (const entry of gone) this.#entries.splice(this.#entries.indexOf(entry), 1);
    this.#forget();
    return gone.map(({ value }) => value);
  }

  /** A flow whose share is used up to now starts like a new one. */
  #forget(): void {
    for (const [flow, end] of this.#ends) if (end <= this.#now) this.#ends.delete(flow);
    if (this.#entries.length > 0) return;
    this.#ends.clear();
    this.#now = 0;
  }
}
