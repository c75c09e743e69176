/** Segments on their way: written to the cache folder, sent by a few uploads at a time, unlinked when durable. */
import { createHash } from 'node:crypto';
import { open, statfs, unlink } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { DrError } from '../../domain/errors.ts';
import type { ProtectedItemId } from '../../domain/ids.ts';
import type { VaultStorage } from '../../domain/ports.ts';
import type { SegmentRef } from '../../domain/replication.ts';
import { Budget } from '../budget.ts';
import type { Egress, EgressFlow } from '../egress/egress.ts';
import { CacheLevel, type CacheUser } from './cache-level.ts';
import { cacheDiskFull, onCacheDisk } from '../cache-disk.ts';
import { SEGMENT_WIRE_BYTES_MAX } from '../segment/layout.ts';
import { segmentSlabs } from '../threads/slabs.ts';
import { appendMark, claimFolder, removeFolder, type Mark } from './leftovers.ts';
import type { CachePolicy } from './ship-request.ts';

/** Of one shipment: bounds what it can have waiting at the egress. */
const UPLOADS_AT_ONCE = 4;

interface SpoolOptions {
  readonly item: ProtectedItemId;
  readonly epoch: number;
  /** As `fingerprintOf` the request; null: what is left when this attempt is interrupted is of no use. */
  readonly fingerprint: string | null;
  readonly cache: CachePolicy;
  readonly egress: Egress;
  readonly flow: EgressFlow;
  readonly storage: VaultStorage;
  readonly signal: AbortSignal;
  /** Called once for each segment that became durable. */
  onDurable(ref: SegmentRef): void;
  /** Called for a failed upload; the owner ends the shipment. */
  onFailure(error: unknown): void;
}

export class Spool {
  readonly #options: SpoolOptions;
  readonly #folder: string;
  readonly #room: CacheUser;
  readonly #slots = new Budget(UPLOADS_AT_ONCE);
  readonly #uploads = new Set<Promise<void>>();
  readonly #open = new Set<SpooledSegment>();
  #epochs: readonly number[] = [];
  #count = 0;
  #backlogBytes = 0;

  private constructor(options: SpoolOptions) {
    this.#options = options;
    this.#folder = path.join(options.cache.folder, options.item, String(options.epoch));
    const { bytesMax, level = new CacheLevel({ high: bytesMax, low: bytesMax / 2 }) } = options.cache;
    this.#room = level.enter(options.flow.traffic);
  }

  /** Takes the item's part of the cache folder: older attempts are dead or may not go on, what they left is taken over or goes. */
  static async open(options: SpoolOptions): Promise<Spool> {
    const spool = new Spool(options);
    try {
      spool.#epochs = await onCacheDisk(options.cache, () => claimFolder(spool.#folder, options.fingerprint));
    } catch (error) {
      spool.#room.leave();
      throw error;
    }
    return spool;
  }

  /** Attempts before this one that shipped the same; ascending. */
  get epochs(): readonly number[] {
    return this.#epochs;
  }

  get folder(): string {
    return this.#folder;
  }

  /** Wire bytes of complete segments that are not durable yet: how far the link is behind the source. */
  get backlogBytes(): number {
    return this.#backlogBytes;
  }

  /**
   * A new segment file; waits while the cache is full.
   * @throws DR_CACHE_DISK_FULL below the free-space floor, DR_REPLICATION_DEFERRED for a delta that has to end instead
   */
  async begin(): Promise<SpooledSegment> {
    const { cache, signal } = this.#options;
    await this.#room.acquire(SEGMENT_WIRE_BYTES_MAX, signal);
    try {
      await this.#requireFreeSpace();
      this.#count += 1;
      const file = path.join(this.#folder, `${this.#options.epoch}-${this.#count}.seg`);
      const handle = await onCacheDisk(cache, () => open(file, 'wx', 0o600));
      const segment = new SpooledSegment(file, handle, cache);
      this.#open.add(segment);
      return segment;
    } catch (error) {
      this.#room.release(SEGMENT_WIRE_BYTES_MAX);
      throw error;
    }
  }

  /** Hands a complete segment over to the uploads. */
  async send(segment: SpooledSegment, ref: SegmentRef): Promise<void> {
    await segment.close();
    this.#open.delete(segment);
    this.#room.release(SEGMENT_WIRE_BYTES_MAX - ref.wireBytes);
    this.#startUpload(segment.file, ref);
  }

  /** Sends a complete segment of an attempt before this one. */
  async resend(file: string, ref: SegmentRef): Promise<void> {
    await this.#room.acquire(ref.wireBytes, this.#options.signal);
    this.#startUpload(file, ref);
  }

  /** Kept only where another attempt can go on from it. */
  async mark(mark: Mark): Promise<void> {
    if (this.#options.fingerprint === null) return;
    await onCacheDisk(this.#options.cache, () => appendMark(this.#folder, mark));
  }

  #startUpload(file: string, ref: SegmentRef): void {
    this.#backlogBytes += ref.wireBytes;
    const upload = this.#upload(file, ref)
      .catch((error: unknown) => this.#options.onFailure(error))
      .finally(() => {
        this.#uploads.delete(upload);
        this.#backlogBytes -= ref.wireBytes;
        this.#room.release(ref.wireBytes);
      });
    this.#uploads.add(upload);
  }

  /** Resolves when no upload is under way; failures were reported to `onFailure`. */
  async drained(): Promise<void> {
    await Promise.all(this.#uploads);
  }

  /** Ends in any state. What another attempt can go on from stays in the folder until `discard`. */
  async close(): Promise<void> {
    await this.drained();
    for (const segment of this.#open) {
      await segment.close();
      this.#room.release(SEGMENT_WIRE_BYTES_MAX);
    }
    this.#open.clear();
    this.#room.leave();
    if (this.#options.fingerprint === null) await this.discard();
  }

  /** Nothing of this attempt stays in the folder. */
  async discard(): Promise<void> {
    await removeFolder(this.#folder);
  }

  /** Below the floor what waits for upload goes first. */
  async #requireFreeSpace(): Promise<void> {
    const { cache, signal } = this.#options;
    const freeBytes = async () => {
      const { bavail, bsize } = await onCacheDisk(cache, () => statfs(cache.folder));
      return bavail * bsize;
    };
    if ((await freeBytes()) >= cache.freeBytesMin) return;
    await this.drained();
    signal.throwIfAborted();
    const left = await freeBytes();
    if (left < cache.freeBytesMin) throw cacheDiskFull(cache, left);
  }

  async #upload(file: string, ref: SegmentRef): Promise<void> {
    const { storage, signal, cache, egress, flow } = this.#options;
    await this.#slots.acquire(1, signal);
    try {
      await egress.send(flow, ref.wireBytes, signal, async () => {
        const slab = await segmentSlabs.take(signal);
        try {
          const body = await onCacheDisk(cache, () => readWhole(file, slab));
          const outcome = await storage.putOnce(ref.blob, body, signal);
          if (outcome === 'exists') await this.#checkStored(ref);
        } finally {
          segmentSlabs.give(slab);
        }
      });
      await onCacheDisk(cache, () => unlink(file));
      this.#options.onDurable(ref);
    } finally {
      this.#slots.release(1);
    }
  }

  /** The folder is this attempt's own: what is there is the same segment sent twice, or the epoch was used twice. */
  async #checkStored(ref: SegmentRef): Promise<void> {
    const { storage, signal, epoch } = this.#options;
    const stored = await storage.get(ref.blob, signal);
    if (stored !== null && createHash('sha256').update(stored.body).digest('hex') === ref.sha256) return;
    const reason = `epoch ${epoch} wrote ${ref.blob} before, with other content; the next attempt has its own epoch`;
    throw new DrError('DR_INTERNAL', { reason });
  }
}

export class SpooledSegment {
  readonly file: string;
  readonly #handle: FileHandle;
  readonly #cache: CachePolicy;
  #closed = false;

  constructor(file: string, handle: FileHandle, cache: CachePolicy) {
    this.file = file;
    this.#handle = handle;
    this.#cache = cache;
  }

  /** Writes the parts one behind the other; they may be used again afterwards. */
  async append(parts: readonly Uint8Array[]): Promise<void> {
    await onCacheDisk(this.#cache, () => this.#handle.appendFile(parts));
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#handle.close();
  }
}

/** The part of `into` that the file fills: memory that was used before, not a new piece for each segment. */
async function readWhole(file: string, into: Buffer): Promise<Buffer> {
  const handle = await open(file);
  try {
    for (let at = 0; ;) {
      const { bytesRead } = await handle.read(into, at, into.length - at, at);
      if (bytesRead === 0) return into.subarray(0, at);
      at += bytesRead;
    }
  } finally {
    await handle.close();
  }
}
