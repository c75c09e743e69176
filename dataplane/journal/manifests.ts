/** Manifests of recovery points: a point exists exactly when its manifest does. */
import { z } from 'zod';
import { DrError } from '../../domain/errors.ts';
import type { ProtectedItemId, RecoveryPointId } from '../../domain/ids.ts';
import { asId } from '../../domain/ids.ts';
import { blobNames } from '../../domain/names.ts';
import type { VaultStorage } from '../../domain/ports.ts';
import type { RecoveryPoint } from '../../domain/replication.ts';
import type { ItemKey } from '../keys.ts';
import { isAuthentic } from './signed-record.ts';

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
  mac: z.string().optional(),
});

/** @throws DR_JOURNAL_GAP when it cannot be understood, is another point's than its name says or, with a key, was forged */
export function decodePoint(name: string, body: Uint8Array, key?: ItemKey): RecoveryPoint {
  try {
    const { mac: _, ...record } = pointSchema.parse(JSON.parse(Buffer.from(body).toString('utf8')));
    // The schema is the type's, but for the brands of the ids.
    const point = record as unknown as RecoveryPoint;
    if (blobNames.point(point.itemId, point.sourceTime, point.pointId) !== name) throw new Error('renamed');
    if (key !== undefined && !isAuthentic(body, key)) throw new Error('not authentic');
    return point;
  } catch (cause) {
    throw new DrError('DR_JOURNAL_GAP', { item: name, reason: 'the manifest is altered' }, { cause });
  }
}

/** What a manifest's name tells. */
export interface PointName {
  readonly name: string;
  readonly pointId: RecoveryPointId;
  readonly barrierNumber: number;
  /** ISO 8601 UTC. */
  readonly sourceTime: string;
}

/** The points that exist, newest first, without reading one of them. */
export async function listPointNames(
  storage: VaultStorage,
  item: ProtectedItemId,
  signal?: AbortSignal,
): Promise<PointName[]> {
  const prefix = blobNames.pointPrefix(item);
  const names: PointName[] = [];
  for await (const { name } of storage.list(prefix, signal)) {
    const [, sourceTime, pointId] = /^(.+)-(p\d{6,})\.json$/.exec(name.slice(prefix.length)) ?? [];
    if (sourceTime === undefined || pointId === undefined) continue;
    names.push({ name, sourceTime, pointId: asId(pointId), barrierNumber: Number(pointId.slice(1)) });
  }
  return names.toSorted((a, b) => b.barrierNumber - a.barrierNumber);
}

/** Null: deleted since it was listed, or it cannot be understood or, with a key, was forged: then there is no such point. */
export async function readListedPoint(
  storage: VaultStorage,
  { name }: PointName,
  signal?: AbortSignal,
  key?: ItemKey,
): Promise<RecoveryPoint | null> {
  const stored = await storage.get(name, signal);
  return stored === null ? null : decodePointOrNull(name, stored.body, key);
}

export function decodePointOrNull(name: string, body: Uint8Array, key?: ItemKey): RecoveryPoint | null {
  try {
    return decodePoint(name, body, key);
  } catch {
    return null;
  }
}
