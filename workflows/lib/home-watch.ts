/**
 * Watches the machine at home while it must be off. Somebody who powers it on behind our back is noticed within
 * seconds: a critical condition, and nothing writes to its disks until they were compared.
 */
import { CancellationScope, sleep } from '@temporalio/workflow';
import type { ItemStore } from './item-store.ts';
import { now } from './job-log.ts';
import { watches } from './proxies.ts';
import { troubleOf } from './trouble.ts';

const SPLIT_BRAIN = 'DR_HEALTH_SPLIT_BRAIN';
const DIVERGED = 'DR_HEALTH_DIVERGED';
const UNWATCHED = 'DR_HEALTH_SOURCE_UNWATCHED';
const SESSION_HOURS = 12;
const PAUSE_MS = 30_000;

/** Runs until cancelled; `changed` is called when what may be replicated has changed. */
export async function watchHome(store: ItemStore, changed: () => void): Promise<never> {
  for (;;) {
    const { spec, home, homeSeen } = store.record;
    if (spec === undefined) {
      await sleep(PAUSE_MS);
      continue;
    }
    const endsAt = new Date(Date.now() + SESSION_HOURS * 3_600_000).toISOString();
    const machineId = home?.home.machineId ?? spec.machineId;
    try {
      const seen = await watches(spec.site).watchHome({ item: spec, machineId, last: homeSeen, endsAt });
      store.clear(UNWATCHED);
      if (seen.outcome === 'sessionEnded') continue;
      show(store, seen.outcome);
      changed();
    } catch (error) {
      if (CancellationScope.current().consideredCancelled) throw error;
      const { reason, suggestion } = troubleOf(error);
      store.raise({
        type: UNWATCHED,
        category: 'warning',
        reason: `nobody sees whether the machine at home is off: ${reason}`,
        suggestion,
        since: now(),
      });
      await sleep(PAUSE_MS);
    }
  }
}

function show(store: ItemStore, seen: 'on' | 'off'): void {
  const { home } = store.record;
  if (seen === 'off') {
    store.clear(SPLIT_BRAIN);
    store.change({ homeSeen: 'off' });
    return;
  }
  store.change({ homeSeen: 'on', ...(home === undefined ? {} : { diverged: true }) });
  store.raise({
    type: SPLIT_BRAIN,
    category: 'critical',
    reason: 'the machine was powered on at home while it runs in Azure',
    suggestion:
      'Power it off in vCenter. What it wrote is lost on the way home; nothing is written to its disks meanwhile.',
    since: now(),
  });
  if (home === undefined) return;
  store.raise({
    type: DIVERGED,
    category: 'critical',
    reason: 'the disks at home were written to by somebody else',
    suggestion: 'Once the machine at home is off: `switchback item resync`, then replication home goes on.',
    since: now(),
  });
}
