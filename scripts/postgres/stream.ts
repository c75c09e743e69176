/** Keeps the barriers and segments of an item while they exist: the product removes them once a later point is made. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { ItemKey } from '../../dataplane/keys.ts';
import { barrierNumbers, readBarrier } from '../../dataplane/journal/barriers.ts';
import { readSegment, type SegmentRecord } from '../../dataplane/segment/reader.ts';
import type { DiskId, ProtectedItemId } from '../../domain/ids.ts';
import type { VaultStorage } from '../../domain/ports.ts';
import type { Barrier, BarrierDisk, ChainTail, SegmentRef } from '../../domain/replication.ts';

const EVERY_MS = 250;

export interface StreamOptions {
  readonly storage: VaultStorage;
  readonly item: ProtectedItemId;
  readonly key: ItemKey;
  /** Segments are kept here. */
  readonly folder: string;
}

interface Chained {
  readonly ref: SegmentRef;
  readonly tail: ChainTail;
}

export class KeptStream {
  readonly #options: StreamOptions;
  readonly #barriers = new Map<number, Barrier>();
  readonly #keeping: Promise<void>;
  #isOver = false;

  /** Keeps what comes into being from now on. */
  constructor(options: StreamOptions) {
    this.#options = options;
    this.#keeping = this.#keep();
    // A failure is met by whoever stops it.
    this.#keeping.catch(() => undefined);
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#keeping;
  }

  /** The barriers after one point up to another; null when one of them was not caught. */
  between(after: number, upTo: number): Barrier[] | null {
    const numbers = Array.from({ length: upTo - after }, (_, index) => after + 1 + index);
    const found = numbers.flatMap((number) => this.#barriers.get(number) ?? []);
    return found.length === numbers.length && this.#barriers.has(after) ? found : null;
  }

  /** Records of a barrier for one disk, in order; `data` is valid until the next one is asked for. */
  async *records(barrier: Barrier, diskId: DiskId): AsyncGenerator<SegmentRecord> {
    for (const chained of this.chain(barrier, diskId)) yield* this.open(barrier, diskId, chained);
  }

  /** Each segment with the end of the chain before it. */
  chain(barrier: Barrier, diskId: DiskId): Chained[] {
    const before = this.#barriers.get(barrier.number - 1);
    let tail = diskOf(before, diskId).tail;
    return diskOf(barrier, diskId).segments.map((ref) => {
      const chained = { ref, tail };
      tail = { nextSeq: ref.lastSeq + 1, hash: ref.sha256 };
      return chained;
    });
  }

  /** As the product opens it: verified whole, refused when it does not follow `tail`. `alter` gets at its bytes first. */
  async *open(
    barrier: Barrier,
    diskId: DiskId,
    { ref, tail }: Chained,
    alter: (bytes: Buffer) => Buffer = (bytes) => bytes,
  ): AsyncGenerator<SegmentRecord> {
    const { item, key } = this.#options;
    const { capacityBytes } = diskOf(barrier, diskId);
    const bytes = alter(await readFile(this.#fileOf(ref)));
    yield* readSegment(bytes, { item, diskId, capacityBytes, ref, tail, key });
  }

  async #keep(): Promise<void> {
    await mkdir(this.#options.folder, { recursive: true });
    while (!this.#isOver) {
      const { storage, item } = this.#options;
      for (const number of await barrierNumbers(storage, item)) {
        if (!this.#barriers.has(number)) await this.#keepBarrier(number);
      }
      await pause(EVERY_MS);
    }
  }

  async #keepBarrier(number: number): Promise<void> {
    const { storage, item, key } = this.#options;
    const barrier = await readBarrier(storage, item, number, undefined, key);
    if (barrier === null) return;
    for (const ref of barrier.disks.flatMap((disk) => disk.segments)) {
      const stored = await storage.get(ref.blob);
      if (stored === null) return;
      await writeFile(this.#fileOf(ref), stored.body);
    }
    this.#barriers.set(number, barrier);
  }

  #fileOf({ sha256 }: SegmentRef): string {
    return join(this.#options.folder, `${sha256}.seg`);
  }
}

export function diskOf(barrier: Barrier | undefined, diskId: DiskId): BarrierDisk {
  const disk = barrier?.disks.find((each) => each.diskId === diskId);
  if (disk === undefined) throw new Error(`barrier ${barrier?.number} does not know disk ${diskId}`);
  return disk;
}
