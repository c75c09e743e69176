/**
 * Watches the age of the newest durable changes. A condition of replication says that a cycle failed; this one says
 * that none has succeeded for too long, whatever the reason, a dead process server included.
 */
import { CancellationScope, sleep } from '@temporalio/workflow';
import type { RpoSeen, RpoSight } from '../contracts/types.ts';
import type { ItemStore } from './item-store.ts';
import { now } from './job-log.ts';
import { rpoWatches } from './proxies.ts';

const LATE = 'DR_HEALTH_RPO_EXCEEDED';
const UNKNOWN = 'DR_HEALTH_RPO_UNKNOWN';
const SESSION_HOURS = 12;
const PAUSE_MS = 60_000;

/** Runs until cancelled. */
export async function watchRpo(store: ItemStore): Promise<never> {
  let last = shownSight(store);
  for (;;) {
    const { spec, home } = store.record;
    if (spec === undefined) {
      await sleep(PAUSE_MS);
      continue;
    }
    const { rpoThresholdSeconds: thresholdSeconds } = home?.policy ?? spec.policy;
    const endsAt = new Date(Date.now() + SESSION_HOURS * 3_600_000).toISOString();
    try {
      // The barriers of a way home lie under the id of its stream.
      const item = home === undefined ? spec : { ...spec, itemId: home.stream };
      const terms = { item, thresholdSeconds, last, endsAt };
      const seen: RpoSeen = await rpoWatches(spec.target.location).watchRpo(terms);
      if (seen.outcome === 'sessionEnded') continue;
      last = seen.outcome;
      show(store, last, seen.sourceTime, thresholdSeconds);
    } catch (error) {
      if (CancellationScope.current().consideredCancelled) throw error;
      last = 'unknown';
      show(store, last, null, thresholdSeconds);
      await sleep(PAUSE_MS);
    }
  }
}

/** What health says already: a watch that begins anew must notice when that is over. */
function shownSight(store: ItemStore): RpoSight {
  const isShown = (wanted: string) => store.record.conditions.some(({ type }) => type === wanted);
  if (isShown(UNKNOWN)) return 'unknown';
  return isShown(LATE) ? 'exceeded' : 'kept';
}

function show(store: ItemStore, sight: RpoSight, sourceTime: string | null, thresholdSeconds: number): void {
  if (sight === 'kept') return store.clear(LATE, UNKNOWN);
  if (sight === 'unknown') {
    return store.raise({
      type: UNKNOWN,
      category: 'warning',
      reason: 'the recovery site does not say how old the newest changes are',
      suggestion: 'Check that the recovery-site worker runs and reaches the storage account.',
      since: now(),
    });
  }
  store.clear(UNKNOWN);
  store.raise({
    type: LATE,
    category: 'warning',
    reason: `the newest durable changes are of ${sourceTime ?? 'no time yet'}; the threshold is ${thresholdSeconds} s`,
    suggestion:
      'Look at the other conditions; check that the process server runs and reaches vCenter and storage.',
    since: now(),
  });
}
