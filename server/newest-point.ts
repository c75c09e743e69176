/** The newest recovery point of an item, as the storage account lists it. */
import { DrError } from '../domain/errors.ts';
import type { ProtectedItemId } from '../domain/ids.ts';
import type { ListedPoint } from '../domain/scrub.ts';
import type { RecoveryPoints } from './deps.ts';

/** How many points behind one that cannot be understood are looked at for the newest. */
const POINTS_LOOKED_AT = 20;

/** Mostly the first: one that cannot be understood is passed over. */
export async function newestReadable(
  points: RecoveryPoints,
  item: ProtectedItemId,
): Promise<ListedPoint | undefined> {
  const first = await points.page(item, { limit: 1 });
  if (first.items.length > 0 || first.nextCursor === undefined) return first.items[0];
  const { items } = await points.page(item, { after: first.nextCursor, limit: POINTS_LOOKED_AT });
  return items[0];
}

export function isStorageAway(error: unknown): error is DrError {
  return (
    error instanceof DrError &&
    (error.code === 'DR_STORAGE_UNREACHABLE' || error.code === 'DR_STORAGE_REFUSED')
  );
}
