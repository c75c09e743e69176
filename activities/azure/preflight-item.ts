/** What the item itself must have before a failover: a recovery point, a key that opens, clocks that agree. */
import { DrError } from '../../domain/errors.ts';
import type { FailoverRun } from '../../workflows/contracts/types.ts';
import { latestBarrier } from '../../dataplane/journal/barriers.ts';
import { openItemKey } from '../../dataplane/keys.ts';
import { listPoints } from '../../dataplane/points.ts';
import { asProblems } from '../problems.ts';
import { choosePoint } from '../replication/choose-point.ts';
import type { PreflightPorts } from './preflight.ts';

/** Far below what tokens and signatures tolerate, far above what NTP leaves. */
const CLOCK_SKEW_MS_MAX = 60_000;

export function pointProblems({ storage }: PreflightPorts, run: FailoverRun): Promise<DrError[]> {
  return asProblems(['DR_POINT_NONE', 'DR_POINT_UNKNOWN'], async () => {
    choosePoint(await listPoints(storage, run.item.itemId), run.item, run.choice);
    return [];
  });
}

export function keyProblems({ storage, vaultKey }: PreflightPorts, run: FailoverRun): Promise<DrError[]> {
  return asProblems(['DR_KEY_MISSING'], async () => {
    await openItemKey(storage, vaultKey, run.item.itemId);
    return [];
  });
}

/**
 * A barrier carries two times: of the source's snapshot by vCenter's clock, of its durability by the process
 * server's. They can be told to be wrong where they run backwards; a source clock that is slow looks like a long cycle.
 */
export async function clockProblems({ storage }: PreflightPorts, run: FailoverRun): Promise<DrError[]> {
  const newest = await latestBarrier(storage, run.item.itemId);
  if (newest === null) return [];
  const times = [
    { name: 'vCenter', ms: Date.parse(newest.sourceTime) },
    { name: 'the process server', ms: Date.parse(newest.durableTime) },
    { name: 'the recovery site', ms: Date.now() },
  ];
  return times.flatMap((time, index) => {
    const next = times[index + 1];
    if (next === undefined || time.ms - next.ms <= CLOCK_SKEW_MS_MAX) return [];
    const ahead = Math.round((time.ms - next.ms) / 1_000);
    return [
      new DrError('DR_CLOCK_SKEW', { reason: `${time.name} is at least ${ahead} s ahead of ${next.name}` }),
    ];
  });
}
