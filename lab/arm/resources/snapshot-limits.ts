import { ArmError } from '../http.ts';
import type { Disk, Snapshot } from '../model.ts';
import type { Simulator } from '../simulator.ts';
import { sameId } from './common.ts';
import { isDataOnly } from './disk-skus.ts';
import { hasAccess } from './sharing.ts';

const SAS_OF_FAMILY_MAX = 5;
const FIVE_MINUTES_MS = 300_000;
const TYPE = 'Microsoft.Compute/snapshots';

/** Of the background copy, which begins when the snapshot is there. */
export function completionPercent({ facts, state }: Snapshot): number {
  if (state !== 'Succeeded') return 0;
  const elapsedMs = Date.now() - Date.parse(facts.createdAt);
  return elapsedMs >= facts.copyMs ? 100 : Math.floor((100 * elapsedMs) / facts.copyMs);
}

/** Only data-only kinds of disk are copied in the background; snapshots of others are whole at once. */
export function copyMsOf({ store }: Simulator, source: Disk | Snapshot): number {
  return isDataOnly(source) ? store.settings.snapshotCopyMs : 0;
}

/** Incremental snapshots of a disk lately asked for, deleted ones too, are limited by a setting. */
export function requireSnapshotRate({ store }: Simulator, familyId: string): void {
  const { snapshotsPerFiveMinutes: most } = store.settings;
  if (most === 0) return;
  const since = Date.now() - FIVE_MINUTES_MS;
  const recent = store.operations().filter(({ detail, startedAt }) => {
    return detail.incrementalOf === familyId && startedAt > since;
  });
  if (recent.length < most) return;
  throw new ArmError(
    429,
    'TooManyRequests',
    `No more than ${most} incremental snapshots of a disk can be created in five minutes.`,
  );
}

/** Five snapshots of a family can be read at a time. */
export function requireFreeSas({ store }: Simulator, snapshot: Snapshot): void {
  const { incremental, familyId } = snapshot.facts;
  if (!incremental) return;
  const read = store
    .ofType(TYPE)
    .filter(({ id, facts }) => facts.familyId === familyId && facts.incremental && !sameId(id, snapshot.id))
    .filter(({ facts }) => hasAccess(facts));
  if (read.length < SAS_OF_FAMILY_MAX) return;
  throw new ArmError(
    409,
    'OperationNotAllowed',
    `The maximum number of ${SAS_OF_FAMILY_MAX} active shared access signatures of the snapshot family ${familyId} is reached. Call EndGetAccess on another snapshot before attempting this operation.`,
  );
}
