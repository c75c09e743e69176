/** Recovery points as they are listed: with what is known against them. */
import type { ProtectedItemId, RecoveryPointId } from '../../domain/ids.ts';
import type { VaultStorage } from '../../domain/ports.ts';
import type { ListedPoint } from '../../domain/scrub.ts';
import { mapBounded } from '../budget.ts';
import { pagePoints } from '../points.ts';
import { listScrub, loadFinding } from './records.ts';

const REQUESTS_AT_ONCE = 8;

/** As `pagePoints`. Findings are read without the item's key: they are shown, nothing is decided from them. */
export async function pageListedPoints(
  storage: VaultStorage,
  item: ProtectedItemId,
  page: { readonly after?: RecoveryPointId; readonly limit: number },
): Promise<{ readonly items: ListedPoint[]; readonly nextCursor?: RecoveryPointId }> {
  const [listed, { findings }] = await Promise.all([
    pagePoints(storage, item, page),
    listScrub(storage, item),
  ]);
  const known = new Set(findings);
  const items = await mapBounded(listed.items, REQUESTS_AT_ONCE, async (point): Promise<ListedPoint> => {
    if (!known.has(point.barrierNumber)) return point;
    const finding = await loadFinding({ storage, item }, point.barrierNumber);
    return finding === null ? point : { ...point, differs: finding.disks };
  });
  return { ...listed, items };
}
