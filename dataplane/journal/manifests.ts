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

/**
 * How a point ends. Its manifest is replaced, version by version, and never removed while an attempt may live that
 * would make it again: standing → leaving, while it is looked whether somebody has pinned it → standing again, or
 * deleted: an empty blob. What was decided stays decided, because each step names the version before.
 */
export type StoredPoint =
  | { readonly state: 'none' }
  | { readonly state: 'deleted' }
  | { readonly state: 'standing' | 'leaving'; readonly manifest: Uint8Array; readonly etag: string };

const leavingSchema = z.strictObject({ version: z.literal(1), leaving: z.base64() });

export async function readStoredPoint(
  storage: VaultStorage,
  name: string,
  signal?: AbortSignal,
): Promise<StoredPoint> {
  const stored = await storage.get(name, signal);
  if (stored === null) return { state: 'none' };
  const { body, etag } = stored;
  if (body.length === 0) return { state: 'deleted' };
  const leaving = leavingManifest(body);
  return leaving === null
    ? { state: 'standing', manifest: body, etag }
    : { state: 'leaving', manifest: leaving, etag };
}

export const DELETED_POINT = Buffer.alloc(0);

export function encodeLeaving(manifest: Uint8Array): Buffer {
  return Buffer.from(JSON.stringify({ version: 1, leaving: Buffer.from(manifest).toString('base64') }));
}

function leavingManifest(body: Uint8Array): Buffer | null {
  try {
    const { leaving } = leavingSchema.parse(JSON.parse(Buffer.from(body).toString('utf8')));
    return Buffer.from(leaving, 'base64');
  } catch {
    return null;
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

/** The points that exist, newest first, without reading one of them; those that are leaving among them. */
export async function listPointNames(
  storage: VaultStorage,
  item: ProtectedItemId,
  signal?: AbortSignal,
): Promise<PointName[]> {
  return (await listAllPointNames(storage, item, signal)).standing;
}

/** Each newest first. */
export async function listAllPointNames(
  storage: VaultStorage,
  item: ProtectedItemId,
  signal?: AbortSignal,
): Promise<{ readonly standing: PointName[]; readonly deleted: PointName[] }> {
  const prefix = blobNames.pointPrefix(item);
  const standing: PointName[] = [];
  const deleted: PointName[] = [];
  for await (const { name, bytes } of storage.list(prefix, signal)) {
    const [, sourceTime, pointId] = /^(.+)-(p\d{6,})\.json$/.exec(name.slice(prefix.length)) ?? [];
    if (sourceTime === undefined || pointId === undefined) continue;
    const listed = {
      name,
      sourceTime,
      pointId: asId<RecoveryPointId>(pointId),
      barrierNumber: Number(pointId.slice(1)),
    };
    (bytes === 0 ? deleted : standing).push(listed);
  }
  const newestFirst = (a: PointName, b: PointName) => b.barrierNumber - a.barrierNumber;
  return { standing: standing.toSorted(newestFirst), deleted: deleted.toSorted(newestFirst) };
}

/** Null: deleted since it was listed, or leaving, or it cannot be understood or, with a key, was forged: then there is no such point. */
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
