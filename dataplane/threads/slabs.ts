/** Memory that main thread and threads share, used again and again: the first touch of fresh memory costs 13 times a later one. */
import { Budget } from '../budget.ts';
import { FRAME_BYTES, SEGMENT_WIRE_BYTES_MAX, TAG_BYTES, UNIT_PLAIN_BYTES_MAX } from '../segment/layout.ts';

/** 15 MiB: one whole segment and half of the next. More did not make eight disks faster. */
const UNIT_SLABS_MAX = 14;
/** 28 MiB when all of them hold data that does not compress. */
const SEGMENT_SLABS_MAX = 3;

/** Pieces of shared memory of one size, at most `max` for all who need one: the others wait for their turn. */
export class Slabs {
  /** Of one slab. */
  readonly bytes: number;
  readonly #room: Budget;
  readonly #free: Buffer[] = [];
  #inUse = 0;
  #inUsePeak = 0;

  constructor(bytes: number, max: number) {
    this.bytes = bytes;
    this.#room = new Budget(max);
  }

  get inUse(): number {
    return this.#inUse;
  }

  /** Most that were in use at once since `forgetPeak`. */
  get inUsePeak(): number {
    return this.#inUsePeak;
  }

  forgetPeak(): void {
    this.#inUsePeak = this.#inUse;
  }

  /** The whole of a `SharedArrayBuffer`; holds what its last user left. Rejects with the signal's reason. */
  async take(signal: AbortSignal): Promise<Buffer> {
    await this.#room.acquire(1, signal);
    return this.#hand();
  }

  /** Null: none is free. */
  tryTake(): Buffer | null {
    return this.#room.tryAcquire(1) ? this.#hand() : null;
  }

  /** No thread may work in it any more. */
  give(slab: Buffer): void {
    this.#inUse -= 1;
    this.#free.push(slab);
    this.#room.release(1);
  }

  #hand(): Buffer {
    this.#inUse += 1;
    this.#inUsePeak = Math.max(this.#inUsePeak, this.#inUse);
    return this.#free.pop() ?? Buffer.from(new SharedArrayBuffer(this.bytes));
  }
}

/** Each holds one unit: `frame | payload | tag`. */
export const unitSlabs = new Slabs(FRAME_BYTES + UNIT_PLAIN_BYTES_MAX + TAG_BYTES, UNIT_SLABS_MAX);
/** Each holds one segment as it is stored. */
export const segmentSlabs = new Slabs(SEGMENT_WIRE_BYTES_MAX, SEGMENT_SLABS_MAX);

/** What a thread is given of a slab. */
export function sharedMemory(slab: Buffer): SharedArrayBuffer {
  return slab.buffer as unknown as SharedArrayBuffer;
}
