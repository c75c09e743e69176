/**
 * Watches the age of the newest durable changes. A condition of replication says that a cycle failed; this one says
 * that none has succeeded for too long, whatever the reason, a dead process server included.
 */
import { isCancellation, sleep } from '@temporalio/workflow';
import type { ItemStore } from './item-store.ts';
import { now } from './job-log.ts';
import { looks } from './proxies.ts';

const LATE = 'DR_HEALTH_RPO_EXCEEDED';
const UNKNOWN = 'DR_HEALTH_RPO_UNKNOWN';
/** Looks are five events each; half the threshold is soon enough to tell. */
const LOOK_SECONDS = { min: 60, max: 900 } as const;

/** Runs until cancelled; `onLook` is called after each look. */
export async function watchRpo(store: ItemStore, onLook: () => void): Promise<never> {
  for (;;) {
    const { spec, home } = store.record;
    const policy = home?.policy ?? spec?.policy;
    const thresholdSeconds = policy?.rpoThresholdSeconds ?? LOOK_SECONDS.max;
    await sleep(Math.min(LOOK_SECONDS.max, Math.max(LOOK_SECONDS.min, thresholdSeconds / 2)) * 1_000);
    if (spec === undefined) continue;
    onLook();
    try {
      // The barriers of a way home lie under the id of its stream.
      const item = home === undefined ? spec : { ...spec, itemId: home.stream };
      const { sourceTime } = await looks(spec.target.location).newestDurable({ item });
      show(store, sourceTime, thresholdSeconds);
    } catch (error) {
      if (isCancellation(error)) throw error;
      store.raise({
        type: UNKNOWN,
        category: 'warning',
        reason: 'the recovery site does not say how old the newest changes are',
        suggestion: 'Check that the recovery-site worker runs and reaches the storage account.',
        since: now(),
      });
    }
  }
}

function show(store: ItemStore, sourceTime: string | null, thresholdSeconds: number): void {
  const ageSeconds = sourceTime === null ? Infinity : (Date.now() - Date.parse(sourceTime)) / 1_000;
  if (ageSeconds <= thresholdSeconds) return store.clear(LATE, UNKNOWN);
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
