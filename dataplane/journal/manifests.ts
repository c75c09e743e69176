/** Manifests of recovery points: a point exists exactly when its manifest does. */
import { z } from 'zod';
import { DrError } from '../../domain/errors.ts';
import type { ProtectedItemId } from '../../domain/ids.ts';
import { blobNames } from '../../domain/names.ts';
import type { VaultStorage } from '../../domain/ports.ts';
import type { RecoveryPoint } from '../../domain/replication.ts';

const count = z.number().int().nonnegative();
const time = z.iso.datetime({ offset: true });

const pointSchema = z.strictObject({
  version: z.literal(1),
  pointId: z.string().regex(/^p\d{6,}$/),
  itemId: z.string(),
  barrierNumber: count,
  consistency: z.enum(['crash', 'application']),
  sourceTime: time,
  durableTime: time,
  processedTime: time,
  snapshotName: z.string(),
  disks: z.array(
    z.strictObject({
      diskId: z.string().regex(/^[0-9a-f]{32}$/),
      replicaBlob: z.string(),
      snapshotId: z.string().min(1),
      capacityBytes: count,
      tail: z.strictObject({ nextSeq: count, hash: z.string().regex(/^[0-9a-f]{64}$/) }),
    }),
  ),
});

/** @throws DR_JOURNAL_GAP when it cannot be understood */
export function decodePoint(name: string, body: Uint8Array): RecoveryPoint {
  try {
    // The schema is the type's, but for the brands of the ids.
    return pointSchema.parse(JSON.parse(Buffer.from(body).toString('utf8'))) as unknown as RecoveryPoint;
  } catch (cause) {
    throw new DrError('DR_JOURNAL_GAP', { item: name, reason: 'the manifest is altered' }, { cause });
  }
}

/** Names of the manifests that exist. */
export async function manifestNames(
  storage: VaultStorage,
  item: ProtectedItemId,
  signal?: AbortSignal,
): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of storage.list(blobNames.pointPrefix(item), signal)) names.push(name);
  return names;
}

/** Barrier numbers of the points that exist, read from the names alone. */
export async function pointNumbers(
  storage: VaultStorage,
  item: ProtectedItemId,
  signal?: AbortSignal,
): Promise<ReadonlySet<number>> {
  const names = await manifestNames(storage, item, signal);
  return new Set(names.map((name) => Number(/-p(\d+)\.json$/.exec(name)?.[1])));
}
