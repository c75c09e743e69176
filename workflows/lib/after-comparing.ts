/** What health shows after source and copy were compared. Pure. */
import { raise, type Condition } from '../../domain/health.ts';
import type { HashedPoint, PointCompared } from '../contracts/verify.ts';
import { DIVERGED, divergence, REPLICA_DIFFERS, SPLIT_BRAIN, type ItemRecord } from './item-state.ts';

/** What a resync does not mend: a machine that runs at home now, or has run since the comparison began. */
export function afterResync({
  conditions,
  homeSeen,
  homeStarts,
  homeComparing,
}: ItemRecord): readonly Condition[] {
  return conditions.filter(
    ({ type }) =>
      (type === SPLIT_BRAIN && homeSeen === 'on') || (type === DIVERGED && homeStarts > homeComparing),
  );
}

/** A machine that ran at home while its disks were written there for the first time: they are nobody's state. */
export function afterReprotect(
  { conditions, homeStarts, homeComparing }: ItemRecord,
  endedAt: string,
): readonly Condition[] {
  const others = conditions.filter(({ type }) => type !== DIVERGED);
  return homeStarts > homeComparing ? raise(others, divergence(endedAt)) : others;
}

export function afterVerify(
  { conditions }: Pick<ItemRecord, 'conditions'>,
  { hashed, compared }: { readonly hashed?: HashedPoint; readonly compared?: PointCompared },
  endedAt: string,
): readonly Condition[] {
  const difference = compared?.condition;
  if (difference !== undefined) return raise(conditions, { ...difference, since: endedAt });
  // The newest point is equal: what an earlier one lacked is mended.
  if (hashed?.isNewest !== true) return conditions;
  return conditions.filter(({ type }) => type !== REPLICA_DIFFERS);
}
