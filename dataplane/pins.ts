/** Pins: a point that a drill or a failover copies must not be lost to retention meanwhile. */
import { z } from 'zod';
import { DrError } from '../domain/errors.ts';
import type { ProtectedItemId, RecoveryPointId, RunId } from '../domain/ids.ts';
import { asId } from '../domain/ids.ts';
import { blobNames } from '../domain/names.ts';
import type { VaultStorage } from '../domain/ports.ts';
import { listPointNames, readStoredPoint } from './journal/manifests.ts';

/** An older pin is that of a run that nobody will end any more: it counts no longer. */
export const PIN_DAYS_MAX = 7;
const PIN_MS_MAX = PIN_DAYS_MAX * 24 * 3_600_000;

const pinSchema = z.object({ pinnedAt: z.iso.datetime() });

/**
 * From here on the point outlives retention, for seven days at most; pinned again, the days begin anew. Pin before
 * the first byte is copied.
 * @throws DR_POINT_UNKNOWN when there is no such point, or it is just being deleted
 */
export async function pinPoint(
  storage: VaultStorage,
  item: ProtectedItemId,
  pointId: RecoveryPointId,
  runId: RunId,
): Promise<void> {
  const pin = { version: 1, itemId: item, pointId, runId, pinnedAt: new Date().toISOString() };
  await storage.put(blobNames.pin(item, pointId, runId), Buffer.from(JSON.stringify(pin)));
  // Looked for behind the pin: whoever deletes the point looks for pins when it is leaving.
  const listed = (await listPointNames(storage, item)).find((name) => name.pointId === pointId);
  if (listed !== undefined && (await readStoredPoint(storage, listed.name)).state === 'standing') return;
  await unpinPoint(storage, item, pointId, runId);
  throw new DrError('DR_POINT_UNKNOWN', { item, point: pointId });
}

/** Absent is done. */
export async function unpinPoint(
  storage: VaultStorage,
  item: ProtectedItemId,
  pointId: RecoveryPointId,
  runId: RunId,
): Promise<void> {
  await storage.delete(blobNames.pin(item, pointId, runId));
}

/** Lets go of every point that the run has pinned: it ended without saying so. */
export async function unpinRun(storage: VaultStorage, runId: RunId): Promise<void> {
  for await (const { name } of storage.list(blobNames.pins)) {
    if (name.endsWith(`-${runId}.json`)) await storage.delete(name);
  }
}

/** Points with a pin that counts. */
export async function pinnedPoints(
  storage: VaultStorage,
  item: ProtectedItemId,
  nowMs: number,
  signal?: AbortSignal,
): Promise<ReadonlySet<RecoveryPointId>> {
  const pinned = new Set<RecoveryPointId>();
  const prefix = blobNames.pinPrefix(item);
  for await (const { name } of storage.list(prefix, signal)) {
    const pointId = /^(p\d{6,})-/.exec(name.slice(prefix.length))?.[1];
    const stored = pointId === undefined ? null : await storage.get(name, signal);
    if (pointId === undefined || stored === null) continue;
    if (nowMs - pinnedMs(stored.body) < PIN_MS_MAX) pinned.add(asId(pointId));
    else await storage.delete(name);
  }
  return pinned;
}

/** A pin that cannot be understood is one of now. */
function pinnedMs(body: Uint8Array): number {
  try {
    return Date.parse(pinSchema.parse(JSON.parse(Buffer.from(body).toString('utf8'))).pinnedAt);
  } catch {
    return Infinity;
  }
}
