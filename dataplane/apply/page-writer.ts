/** Gathers records into batches and brings each batch to its disk in as few requests as it takes. */
import { extentEnd, intersectExtent, splitExtent } from '../../domain/extents.ts';
import type { Extent } from '../../domain/replication.ts';
import { Budget } from '../budget.ts';
import { BufferPool } from './buffer-pool.ts';
import type { Piece } from './content.ts';
import { finalContent } from './content.ts';
import { PAGE_BLOB_COST } from './cost-model.ts';
import type { WritePolicy, WriteRequest } from './plan-writes.ts';
import { WINDOW_BYTES, planWrites } from './plan-writes.ts';
import { copyPieces, overlayPieces } from './revise.ts';

/** A batch: data of at least one window beside half a buffer of others. */
export const BATCH_BYTES = 2 * WINDOW_BYTES;
const BATCH_RECORDS_MAX = 16_384;
const REQUESTS_AT_ONCE = 8;
/** Two of the largest requests: 100 MiB/s to a blob that takes 80 ms for each, and no blob takes more than 60 MiB/s. */
const SENDING_BYTES_MAX = 2 * WINDOW_BYTES;

/** What records are written to: a replica, or a disk at home. Requests of at most 4 MiB, several at a time, never overlapping. */
export interface RecordTarget {
  write(offset: number, bytes: Uint8Array): Promise<void>;
  /** The range reads as zeros afterwards; no bound on its length. */
  clear(offset: number, length: number): Promise<void>;
  /** Fills `into`. Absent: the target is never read. */
  read?(offset: number, into: Buffer): Promise<void>;
}

export interface PageWriterOptions {
  /** Default: write everything as it comes. */
  readonly policy?: WritePolicy;
  readonly pools?: WriterPools;
}

/** Memory that writers may share. A writer holds one batch that is filling; further ones are on their way out. */
export interface WriterPools {
  readonly batches: BufferPool;
  /** For what has to be put together first: four MiB each. */
  readonly windows: BufferPool;
  /** Bytes on their way: TLS holds a second, sealed copy of each outside of what Node counts. */
  readonly sending: Budget;
}

export function createWriterPools(batchesMax: number, windowsMax: number): WriterPools {
  return {
    batches: new BufferPool(BATCH_BYTES, batchesMax),
    windows: new BufferPool(WINDOW_BYTES, windowsMax),
    sending: new Budget(SENDING_BYTES_MAX),
  };
}

interface Batch {
  readonly buffer: Buffer;
  readonly records: Piece[];
  usedBytes: number;
  /** Until now every record began behind the one before. */
  isAscending: boolean;
}

interface InFlight extends Extent {
  readonly ended: Promise<void>;
}

/**
 * Later calls win where ranges overlap; inside a batch the earlier bytes are never sent. A batch ends when it is full,
 * and correctness does not depend on where. Calls must not overlap each other.
 * Memory: a batch of 8 MiB that is filling, and what its pools grant for those that are being sent.
 */
export class PageWriter {
  readonly #target: RecordTarget;
  readonly #signal: AbortSignal;
  readonly #policy: WritePolicy;
  readonly #pools: WriterPools;
  readonly #slots = new Budget(REQUESTS_AT_ONCE);
  readonly #inFlight = new Set<InFlight>();
  #batch: Batch | null = null;
  #failure: { readonly error: unknown } | null = null;

  constructor(target: RecordTarget, signal: AbortSignal, options: PageWriterOptions = {}) {
    this.#target = target;
    this.#signal = signal;
    const { policy = { reading: 'never', cost: PAGE_BLOB_COST } } = options;
    this.#policy = target.read === undefined ? { ...policy, reading: 'never' } : policy;
    this.#pools = options.pools ?? createWriterPools(3, REQUESTS_AT_ONCE);
  }

  /** Copies `data` before it returns. */
  async write(offset: number, data: Uint8Array): Promise<void> {
    for (const part of splitExtent({ offset, length: data.length }, WINDOW_BYTES)) {
      const batch = await this.#batchFor(part);
      const at = batch.usedBytes;
      batch.buffer.set(data.subarray(part.offset - offset, extentEnd(part) - offset), at);
      batch.usedBytes += part.length;
      append(batch, { ...part, data: batch.buffer.subarray(at, batch.usedBytes) });
    }
  }

  async clear(offset: number, length: number): Promise<void> {
    append(await this.#batchFor({ offset, length: 0 }), { offset, length, data: null });
  }

  /** Resolves when everything is on the target. @throws the first failure of any request */
  async flush(): Promise<void> {
    await this.#send();
    await this.settled();
    this.#checkFailure();
  }

  /** Resolves when nothing is in flight and no buffer is held, whatever became of it. */
  async settled(): Promise<void> {
    await Promise.all([...this.#inFlight].map(({ ended }) => ended));
    const batch = this.#batch;
    this.#batch = null;
    if (batch !== null) this.#pools.batches.give(batch.buffer);
  }

  async #batchFor(part: Extent): Promise<Batch> {
    if (this.#batch !== null && !hasRoom(this.#batch, part)) await this.#send();
    this.#checkFailure();
    this.#batch ??= {
      buffer: await this.#pools.batches.take(this.#signal),
      records: [],
      usedBytes: 0,
      isAscending: true,
    };
    return this.#batch;
  }

  /** Begins all requests of the batch; its buffer goes back when the last of them has ended. */
  async #send(): Promise<void> {
    const batch = this.#batch;
    if (batch === null) return;
    this.#batch = null;
    const begun: Promise<void>[] = [];
    try {
      for (const request of planWrites(finalContent(batch.records), this.#policy)) {
        begun.push((await this.#begin(request)).ended);
      }
    } finally {
      void Promise.all(begun).then(() => this.#pools.batches.give(batch.buffer));
    }
  }

  async #begin(request: WriteRequest): Promise<InFlight> {
    const overlapping = [...this.#inFlight].filter((other) => intersectExtent(other, request) !== null);
    await Promise.all(overlapping.map(({ ended }) => ended));
    await this.#slots.acquire(1, this.#signal);
    const { promise, resolve } = Promise.withResolvers<void>();
    const sending: InFlight = { offset: request.offset, length: request.length, ended: promise };
    this.#inFlight.add(sending);
    this.#carryOut(request)
      .catch((error: unknown) => {
        this.#failure ??= { error };
      })
      .finally(() => {
        this.#inFlight.delete(sending);
        this.#slots.release(1);
        resolve();
      });
    return sending;
  }

  async #carryOut(request: WriteRequest): Promise<void> {
    this.#checkFailure();
    const { offset, length } = request;
    if (request.kind === 'clear') return this.#target.clear(offset, length);
    const whole = request.kind === 'put' ? inOnePiece(request.pieces) : null;
    if (whole !== null) return this.#put(offset, whole);
    const buffer = await this.#pools.windows.take(this.#signal);
    try {
      const window = buffer.subarray(0, length);
      for (const range of await this.#prepare(request, window)) {
        const at = range.offset - offset;
        await this.#put(range.offset, window.subarray(at, at + range.length));
      }
    } finally {
      this.#pools.windows.give(buffer);
    }
  }

  async #put(offset: number, bytes: Uint8Array): Promise<void> {
    const { sending } = this.#pools;
    await sending.acquire(bytes.length, this.#signal);
    try {
      await this.#target.write(offset, bytes);
    } finally {
      sending.release(bytes.length);
    }
  }

  /** Fills the window with what the range shall hold; answers what of it has to be written. */
  async #prepare(request: Exclude<WriteRequest, { kind: 'clear' }>, window: Buffer): Promise<Extent[]> {
    const { offset, length, pieces } = request;
    if (request.kind === 'put') {
      copyPieces(window, offset, pieces);
      return [{ offset, length }];
    }
    await this.#target.read?.(offset, window);
    return overlayPieces(window, offset, pieces, request.gapBytes);
  }

  #checkFailure(): void {
    if (this.#failure !== null) throw this.#failure.error;
  }
}

/**
 * A stream that only ascends is sent window by window, whole. What comes in another order waits for what may still
 * follow.
 */
function hasRoom(batch: Batch, part: Extent): boolean {
  if (batch.records.length >= BATCH_RECORDS_MAX) return false;
  if (batch.usedBytes + part.length > BATCH_BYTES) return false;
  const last = batch.records.at(-1);
  const beginsWindow = last !== undefined && windowOf(extentEnd(last) - 1) !== windowOf(part.offset);
  const ascends = batch.isAscending && last !== undefined && part.offset >= extentEnd(last);
  return !(beginsWindow && ascends && batch.usedBytes >= BATCH_BYTES / 2);
}

function append(batch: Batch, piece: Piece): void {
  const last = batch.records.at(-1);
  if (last !== undefined && piece.offset < extentEnd(last)) batch.isAscending = false;
  const both = last === undefined ? null : inARow(last, piece);
  if (both === null) batch.records.push(piece);
  else batch.records[batch.records.length - 1] = both;
}

/** Two pieces as one; null when they do not touch, on the disk and in memory. */
function inARow(before: Piece, after: Piece): Piece | null {
  if (extentEnd(before) !== after.offset) return null;
  const length = before.length + after.length;
  if (before.data === null && after.data === null) return { offset: before.offset, length, data: null };
  if (before.data === null || after.data === null) return null;
  const { buffer, byteOffset } = before.data;
  if (buffer !== after.data.buffer || byteOffset + before.length !== after.data.byteOffset) return null;
  return { offset: before.offset, length, data: Buffer.from(buffer, byteOffset, length) };
}

/** The bytes of pieces that follow each other in memory; null when they do not. */
function inOnePiece(pieces: readonly Piece[]): Buffer | null {
  let whole = pieces[0] ?? null;
  for (const piece of pieces.slice(1)) whole = whole === null ? null : inARow(whole, piece);
  return whole?.data ?? null;
}

function windowOf(offset: number): number {
  return Math.floor(offset / WINDOW_BYTES);
}
