/** Segments of the barrier that is being landed and of the next, on a local disk: one that is there as a whole can be finished without the storage account. */
import { createHash, randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { ProtectedItemId } from '../../domain/ids.ts';
import type { VaultStorage } from '../../domain/ports.ts';
import type { SegmentRef } from '../../domain/replication.ts';
import { journalGap } from '../apply/apply-segments.ts';
import type { CacheDisk } from '../cache-disk.ts';
import { onCacheDisk } from '../cache-disk.ts';

export class SegmentCache {
  readonly #stream: ProtectedItemId;
  readonly #storage: VaultStorage;
  readonly #disk: CacheDisk;
  readonly #folder: string;

  constructor(options: {
    readonly stream: ProtectedItemId;
    readonly storage: VaultStorage;
    readonly cacheFolder: string;
  }) {
    this.#stream = options.stream;
    this.#storage = options.storage;
    this.#disk = { folder: options.cacheFolder, freeBytesMin: 0 };
    this.#folder = path.join(options.cacheFolder, 'landing', options.stream);
  }

  async open(): Promise<void> {
    await onCacheDisk(this.#disk, () => mkdir(this.#folder, { recursive: true }));
  }

  /** The segment's bytes; afterwards `read` answers them too. One left by an earlier attempt is not fetched again. */
  async hold(ref: SegmentRef, signal: AbortSignal): Promise<Uint8Array> {
    const file = this.#file(ref);
    const kept = await readFile(file).catch(() => null);
    if (kept !== null && sha256(kept) === ref.sha256) return kept;
    const stored = await this.#storage.get(ref.blob, signal);
    if (stored === null) throw journalGap(this.#stream, `segment ${ref.blob} does not exist`);
    const part = `${file}.${randomUUID()}`;
    await onCacheDisk(this.#disk, async () => {
      await writeFile(part, stored.body, { mode: 0o600 });
      await rename(part, file);
    });
    return stored.body;
  }

  async read(ref: SegmentRef): Promise<Uint8Array> {
    return onCacheDisk(this.#disk, () => readFile(this.#file(ref)));
  }

  /** Removes segments that have served. */
  async drop(refs: readonly SegmentRef[]): Promise<void> {
    for (const ref of refs) await onCacheDisk(this.#disk, () => rm(this.#file(ref), { force: true }));
  }

  /** Removes everything of the stream; absent is done. */
  async clear(): Promise<void> {
    await onCacheDisk(this.#disk, () => rm(this.#folder, { recursive: true, force: true }));
  }

  #file(ref: SegmentRef): string {
    return path.join(this.#folder, `${ref.sha256}.seg`);
  }
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
