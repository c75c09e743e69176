/** A look at the age of the newest durable changes. */
import { DrError } from '../../domain/errors.ts';
import type { VaultStorage } from '../../domain/ports.ts';
import type { RpoSeen, RpoWatchInput } from '../../workflows/contracts/types.ts';
import { latestBarrier } from '../../dataplane/journal/barriers.ts';

/** Half the threshold is soon enough to tell. */
const LOOK_SECONDS = { min: 60, max: 900 } as const;

export function lookDelayMs({ thresholdSeconds }: Pick<RpoWatchInput, 'thresholdSeconds'>): number {
  return Math.min(LOOK_SECONDS.max, Math.max(LOOK_SECONDS.min, thresholdSeconds / 2)) * 1_000;
}

/** The RPO is the age of the newest durable barrier's source time. */
export async function lookAtRpo(
  storage: VaultStorage,
  { item, thresholdSeconds }: Pick<RpoWatchInput, 'item' | 'thresholdSeconds'>,
  nowMs: number,
): Promise<RpoSeen> {
  try {
    const sourceTime = (await latestBarrier(storage, item.itemId))?.sourceTime ?? null;
    const ageSeconds = sourceTime === null ? Infinity : (nowMs - Date.parse(sourceTime)) / 1_000;
    return { outcome: ageSeconds <= thresholdSeconds ? 'kept' : 'exceeded', sourceTime };
  } catch (error) {
    if (error instanceof DrError && error.outcome === 'retry')
      return { outcome: 'unknown', sourceTime: null };
    throw error;
  }
}
