/** Memory that main thread and threads share, used again and again: the first touch of fresh memory costs 13 times a later one. */
import { FRAME_BYTES, SEGMENT_WIRE_BYTES_MAX, TAG_BYTES, UNIT_PLAIN_BYTES_MAX } from '../segment/layout.ts';

/** Free ones that are kept for the next user; what is above goes back to the system. */
const UNIT_SLABS_KEPT = 24;
const SEGMENT_SLABS_KEPT = 2;

/** Pieces of shared memory of one size. Whoever takes them bounds how many. */
export class Slabs {
  /** Of one slab. */
  readonly bytes: number;
  readonly #keptMax: number;
  readonly #free: Buffer[] = [];
  #inUse = 0;
  #inUsePeak = 0;

  constructor(bytes: number, keptMax: number) {
    this.bytes = bytes;
    this.#keptMax = keptMax;
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

  /** The whole of a `SharedArrayBuffer`; holds what its last user left. */
  take(): Buffer {
    this.#inUse += 1;
    this.#inUsePeak = Math.max(this.#inUsePeak, this.#inUse);
    return this.#free.pop() ?? Buffer.from(new SharedArrayBuffer(this.bytes));
  }

  /** No thread may work in it any more. */
  give(slab: Buffer): void {
    this.#inUse -= 1;
    if (this.#free.length < this.#keptMax) this.#free.push(slab);
  }
}

/** Each holds one unit: `frame | payload | tag`. */
export const unitSlabs = new Slabs(FRAME_BYTES + UNIT_PLAIN_BYTES_MAX + TAG_BYTES, UNIT_SLABS_KEPT);
/** Each holds one segment as it is stored. */
export const segmentSlabs = new Slabs(SEGMENT_WIRE_BYTES_MAX, SEGMENT_SLABS_KEPT);

/** What a thread is given of a slab. */
export function sharedMemory(slab: Buffer): SharedArrayBuffer {
  return slab.buffer as unknown as SharedArrayBuffer;
}
