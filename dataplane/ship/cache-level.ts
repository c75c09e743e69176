/**
 * How full the cache of a process server is, over all its items, with a high and a low water mark.
 *
 * Once a delta meets the high mark, none begins until the cache has drained to the low mark, and those under way end:
 * their snapshots go, and what changed is asked for again later. Only the one that has run longest waits instead, so
 * that one gets through. First copies and resyncs fill the cache to the low mark and wait; a final delta never does.
 */
import { DrError } from '../../domain/errors.ts';
import { MiB } from '../../domain/units.ts';
import type { Traffic } from '../egress/egress.ts';

export interface WaterMarks {
  /** Bytes. */
  readonly high: number;
  /** Bytes, less than `high`. */
  readonly low: number;
}

export interface CacheCounters {
  /** Bytes in the cache; segments that are still written count as full ones. */
  readonly waitingBytes: number;
  readonly timesFull: number;
  /** Deltas that ended early or did not begin. */
  readonly deferredCycles: number;
  /** Changed ranges that those had asked for and not sent. */
  readonly deferredRanges: number;
  readonly deferredBytes: number;
}

interface Waiting {
  readonly user: CacheUser;
  readonly bytes: number;
  readonly admit: () => void;
}

export class CacheLevel {
  readonly #marks: WaterMarks;
  readonly #onTurn: (isDraining: boolean, counters: CacheCounters) => void;
  readonly #deltas: CacheUser[] = [];
  readonly #waiting: Waiting[] = [];
  #usedBytes = 0;
  #isDraining = false;
  #timesFull = 0;
  #deferred = { deferredCycles: 0, deferredRanges: 0, deferredBytes: 0 };

  /** `onTurn` hears when deltas begin and cease to be deferred. */
  constructor(
    marks: WaterMarks,
    onTurn: (isDraining: boolean, counters: CacheCounters) => void = () => undefined,
  ) {
    this.#marks = marks;
    this.#onTurn = onTurn;
  }

  get counters(): CacheCounters {
    return { waitingBytes: this.#usedBytes, timesFull: this.#timesFull, ...this.#deferred };
  }

  /** A shipment begins; it has to `leave`. */
  enter(traffic: Traffic): CacheUser {
    const user: CacheUser = {
      traffic,
      acquire: (bytes, signal) => this.#acquire(user, bytes, signal),
      release: (bytes) => this.#release(bytes),
      leave: () => {
        const index = this.#deltas.indexOf(user);
        if (index !== -1) this.#deltas.splice(index, 1);
      },
    };
    if (traffic === 'delta') this.#deltas.push(user);
    return user;
  }

  /** Asked before a delta takes its snapshot. @throws DR_REPLICATION_DEFERRED while the cache drains */
  requireRoom(traffic: Traffic): void {
    if (traffic !== 'delta' || !this.#isDraining) return;
    this.deferred({ ranges: 0, bytes: 0 });
    throw this.#full();
  }

  /** Counts a delta that is not made now. */
  deferred(left: { readonly ranges: number; readonly bytes: number }): void {
    const { deferredCycles, deferredRanges, deferredBytes } = this.#deferred;
    this.#deferred = {
      deferredCycles: deferredCycles + 1,
      deferredRanges: deferredRanges + left.ranges,
      deferredBytes: deferredBytes + left.bytes,
    };
  }

  async #acquire(user: CacheUser, bytes: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#mayTake(user, bytes)) {
      this.#usedBytes += bytes;
      return;
    }
    if (user.traffic === 'delta') this.#drain();
    if (this.#mustEnd(user)) throw this.#full();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiting: Waiting = { user, bytes, admit: resolve };
    const onAbort = () => {
      const index = this.#waiting.indexOf(waiting);
      if (index === -1) return;
      this.#waiting.splice(index, 1);
      reject(signal.reason as Error);
    };
    this.#waiting.push(waiting);
    signal.addEventListener('abort', onAbort, { once: true });
    await promise.finally(() => signal.removeEventListener('abort', onAbort));
  }

  #release(bytes: number): void {
    this.#usedBytes -= bytes;
    if (this.#isDraining && this.#usedBytes <= this.#marks.low) {
      this.#isDraining = false;
      this.#onTurn(false, this.counters);
    }
    // Deltas first.
    const inOrder = [...this.#waiting].toSorted((a, b) => rank(a) - rank(b));
    for (const waiting of inOrder) {
      if (!this.#mayTake(waiting.user, waiting.bytes)) continue;
      this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
      this.#usedBytes += waiting.bytes;
      waiting.admit();
    }
  }

  /** An empty cache takes anything. */
  #mayTake({ traffic }: CacheUser, bytes: number): boolean {
    if (traffic === 'final' || this.#usedBytes === 0) return true;
    const mark = traffic === 'bulk' ? this.#marks.low : this.#marks.high;
    return !this.#isDraining && this.#usedBytes + bytes <= mark;
  }

  #drain(): void {
    if (this.#isDraining) return;
    this.#isDraining = true;
    this.#timesFull += 1;
    this.#onTurn(true, this.counters);
  }

  #mustEnd(user: CacheUser): boolean {
    return user.traffic === 'delta' && this.#deltas[0] !== user;
  }

  #full(): DrError {
    const used = Math.round(this.#usedBytes / MiB);
    const high = Math.round(this.#marks.high / MiB);
    const low = Math.round(this.#marks.low / MiB);
    const reason = `the line is slower than the changes: ${used} of ${high} MiB of the cache wait for upload, deltas go on below ${low} MiB`;
    return new DrError('DR_REPLICATION_DEFERRED', { reason });
  }
}

/** One shipment's part of the cache. */
export interface CacheUser {
  readonly traffic: Traffic;
  /** Waits for room. @throws DR_REPLICATION_DEFERRED for a delta that has to end instead; the signal's reason */
  acquire(bytes: number, signal: AbortSignal): Promise<void>;
  release(bytes: number): void;
  leave(): void;
}

function rank({ user }: Waiting): number {
  return user.traffic === 'delta' ? 0 : 1;
}
