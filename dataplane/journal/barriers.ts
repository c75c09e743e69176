/** Barriers: the write-once records that say which segments are the stream. */
import { z } from 'zod';
import { DrError } from '../../domain/errors.ts';
import type { DiskId, ProtectedItemId } from '../../domain/ids.ts';
import { blobNames } from '../../domain/names.ts';
import type { VaultStorage } from '../../domain/ports.ts';
import type { Barrier, ChainTail } from '../../domain/replication.ts';
import { CHAIN_START } from '../../domain/replication.ts';
import type { ItemKey } from '../keys.ts';
import { isAuthentic, signRecord } from './signed-record.ts';

const count = z.number().int().nonnegative();
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const time = z.iso.datetime({ offset: true });
const diskId = z.string().regex(/^[0-9a-f]{32}$/);
const tail = z.strictObject({ nextSeq: count, hash: sha256 });

const barrierSchema = z.strictObject({
  version: z.literal(1),
  itemId: z.string(),
  number: count,
  kind: z.enum(['progress', 'point']),
  cycle: z.enum(['initial', 'delta']),
  epoch: count,
  consistency: z.enum(['crash', 'application']),
  sourceTime: time,
  snapshotName: z.string(),
  durableTime: time,
  disks: z.array(
    z.strictObject({
      diskId,
      capacityBytes: count,
      segments: z.array(
        z.strictObject({
          blob: z.string(),
          firstSeq: count,
          lastSeq: count,
          rawBytes: count,
          wireBytes: count,
          sha256,
        }),
      ),
      tail,
      changeId: z.string().nullable(),
      readBytes: count,
    }),
  ),
  resumeOffsets: z.record(z.string(), count).optional(),
  mac: z.string().optional(),
});

/** Null: there is no such barrier. @throws DR_JOURNAL_GAP when its record cannot be understood or, with a key, was forged */
export async function readBarrier(
  storage: VaultStorage,
  item: ProtectedItemId,
  number: number,
  signal?: AbortSignal,
  key?: ItemKey,
): Promise<Barrier | null> {
  const name = blobNames.barrier(item, number);
  const stored = await storage.get(name, signal);
  return stored === null ? null : decodeBarrier(item, number, stored.body, key);
}

/** @throws DR_JOURNAL_GAP when it cannot be understood, is another barrier's or, with a key, was forged */
export function decodeBarrier(
  item: ProtectedItemId,
  number: number,
  body: Uint8Array,
  key?: ItemKey,
): Barrier {
  const barrier = key === undefined || isAuthentic(body, key) ? parse(body) : null;
  if (barrier?.itemId === item && barrier.number === number) return barrier;
  throw new DrError('DR_JOURNAL_GAP', { item, reason: `${blobNames.barrier(item, number)} is altered` });
}

/** The barrier with the greatest number; null before the first one. */
export async function latestBarrier(
  storage: VaultStorage,
  item: ProtectedItemId,
  signal?: AbortSignal,
): Promise<Barrier | null> {
  const numbers = await barrierNumbers(storage, item, signal);
  const latest = numbers.at(-1);
  return latest === undefined ? null : readBarrier(storage, item, latest, signal);
}

/** Numbers of the barriers that exist, ascending. */
export async function barrierNumbers(
  storage: VaultStorage,
  item: ProtectedItemId,
  signal?: AbortSignal,
): Promise<number[]> {
  const numbers: number[] = [];
  const prefix = blobNames.barrierPrefix(item);
  for await (const { name } of storage.list(prefix, signal)) {
    const digits = /^(\d{8})\.json$/.exec(name.slice(prefix.length))?.[1];
    if (digits !== undefined) numbers.push(Number(digits));
  }
  return numbers.toSorted((a, b) => a - b);
}

/** Where the chain of each disk ends; a disk the barrier does not know starts its chain. */
export function tailsAfter(
  barrier: Barrier | null,
  disks: readonly DiskId[],
): ReadonlyMap<DiskId, ChainTail> {
  const known = new Map(barrier?.disks.map((disk) => [disk.diskId, disk.tail]));
  return new Map(disks.map((disk) => [disk, known.get(disk) ?? CHAIN_START]));
}

/** Bytes of the signed record. What could not be read back is refused here. @throws DR_INTERNAL */
export function encodeBarrier(barrier: Barrier, key: ItemKey): Buffer {
  const body = signRecord(barrier, key);
  if (parse(body) !== null) return body;
  throw new DrError('DR_INTERNAL', {
    reason: `barrier ${barrier.number} of ${barrier.itemId} is not well-formed`,
  });
}

function parse(body: Uint8Array): Barrier | null {
  try {
    // The schema is the type's, but for the brands of the ids and absent against undefined.
    const { mac: _, ...barrier } = barrierSchema.parse(JSON.parse(Buffer.from(body).toString('utf8')));
    return barrier as unknown as Barrier;
  } catch {
    return null;
  }
}
