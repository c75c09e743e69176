/**
 * `landed/<stream>.json`: how far the disks at home hold the reverse stream, and which attempt may say so. Whoever
 * takes the record with a newer epoch makes every later write of the older one fail, because each replaces only the
 * version it knows.
 */
import { z } from 'zod';
import { DrError } from '../../domain/errors.ts';
import type { DiskId, ProtectedItemId } from '../../domain/ids.ts';
import { blobNames } from '../../domain/names.ts';
import type { VaultStorage } from '../../domain/ports.ts';
import type { Barrier, ChainTail } from '../../domain/replication.ts';

/** Attempts that start together cross each other's path a few times, not for ever. */
const TAKE_TRIES_MAX = 5;

export interface Landed {
  /** Attempt that wrote it. */
  readonly epoch: number;
  readonly barrier: number;
  /** ISO 8601 UTC, of `barrier`. */
  readonly sourceTime: string;
  /** Chain tails after the last barrier that is whole: `barrier`, or the one before while `torn`. */
  readonly tails: Readonly<Record<DiskId, ChainTail>>;
  /** `barrier` is being written: the disks hold a part of it and must not be used before it is whole. */
  readonly torn: boolean;
}

const count = z.number().int().nonnegative();
const landedSchema = z.strictObject({
  version: z.literal(1),
  stream: z.string(),
  epoch: count,
  barrier: count,
  sourceTime: z.string(),
  tails: z.record(
    z.string().regex(/^[0-9a-f]{32}$/),
    z.strictObject({ nextSeq: count, hash: z.string().regex(/^[0-9a-f]{64}$/) }),
  ),
  torn: z.boolean(),
});

/** Null: nothing of the stream was landed, and nothing begun. @throws DR_JOURNAL_GAP when it cannot be understood */
export async function readLanded(
  storage: VaultStorage,
  stream: ProtectedItemId,
  signal?: AbortSignal,
): Promise<Landed | null> {
  const stored = await readRecord(storage, stream, signal);
  return stored === null || stored.landed.barrier === 0 ? null : stored.landed;
}

export class LandedRecord {
  readonly #storage: VaultStorage;
  readonly #stream: ProtectedItemId;
  #landed: Landed;
  #etag: string;

  private constructor(storage: VaultStorage, stream: ProtectedItemId, landed: Landed, etag: string) {
    this.#storage = storage;
    this.#stream = stream;
    this.#landed = landed;
    this.#etag = etag;
  }

  /** @throws DR_REPLICATION_FENCED when a newer epoch has taken it */
  static async take(
    storage: VaultStorage,
    stream: ProtectedItemId,
    epoch: number,
    signal: AbortSignal,
  ): Promise<LandedRecord> {
    for (let attempt = 1; attempt <= TAKE_TRIES_MAX; attempt += 1) {
      const stored = await readRecord(storage, stream, signal);
      if (stored === null) {
        const first = { epoch, barrier: 0, sourceTime: '', tails: {}, torn: false };
        await storage.putOnce(blobNames.landed(stream), encode(stream, first), signal);
        continue;
      }
      if (stored.landed.epoch > epoch) throw fenced(stream, epoch, stored.landed.epoch);
      const landed = { ...stored.landed, epoch };
      const etag = await storage.put(blobNames.landed(stream), encode(stream, landed), stored.etag);
      if (etag !== null) return new LandedRecord(storage, stream, landed, etag);
    }
    throw new DrError('DR_INTERNAL', { reason: `${blobNames.landed(stream)} changes all the time` });
  }

  get landed(): Landed {
    return this.#landed;
  }

  /** The last barrier that all disks hold as a whole, however torn they are now. */
  get wholeBarrier(): number {
    return this.#landed.torn ? this.#landed.barrier - 1 : this.#landed.barrier;
  }

  /** From here on the disks count as torn. @throws DR_REPLICATION_FENCED */
  async begin({ number, sourceTime }: Barrier): Promise<void> {
    await this.#replace({ ...this.#landed, barrier: number, sourceTime, torn: true });
  }

  /** @throws DR_REPLICATION_FENCED */
  async finish(barrier: Barrier): Promise<void> {
    await this.#replace({ ...this.#landed, tails: tailsOf(barrier), torn: false });
  }

  async #replace(landed: Landed): Promise<void> {
    const name = blobNames.landed(this.#stream);
    const etag = await this.#storage.put(name, encode(this.#stream, landed), this.#etag);
    if (etag === null) {
      const standing = await readRecord(this.#storage, this.#stream);
      throw fenced(this.#stream, landed.epoch, standing?.landed.epoch ?? landed.epoch);
    }
    this.#landed = landed;
    this.#etag = etag;
  }
}

/** Chain tails of a landed barrier. */
export function tailsOf({ disks }: Barrier): Landed['tails'] {
  return Object.fromEntries(disks.map(({ diskId, tail }) => [diskId, tail]));
}

async function readRecord(
  storage: VaultStorage,
  stream: ProtectedItemId,
  signal?: AbortSignal,
): Promise<{ readonly landed: Landed; readonly etag: string } | null> {
  const name = blobNames.landed(stream);
  const stored = await storage.get(name, signal);
  if (stored === null) return null;
  try {
    const record = landedSchema.parse(JSON.parse(Buffer.from(stored.body).toString('utf8')));
    if (record.stream !== stream) throw new Error(`it belongs to stream ${record.stream}`);
    const { epoch, barrier, sourceTime, tails, torn } = record;
    return { landed: { epoch, barrier, sourceTime, tails, torn }, etag: stored.etag };
  } catch (cause) {
    throw new DrError('DR_JOURNAL_GAP', { item: stream, reason: `${name} is altered` }, { cause });
  }
}

function encode(stream: ProtectedItemId, landed: Landed): Buffer {
  return Buffer.from(JSON.stringify({ version: 1, stream, ...landed }));
}

function fenced(stream: ProtectedItemId, epoch: number, newer: number): DrError {
  return new DrError('DR_REPLICATION_FENCED', { epoch, what: blobNames.landed(stream), newer });
}
