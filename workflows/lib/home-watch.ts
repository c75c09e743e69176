/**
 * Watches the side that must be off. Somebody who powers the machine on at home while it runs in Azure is noticed
 * within seconds: a critical condition, and nothing writes to its disks until they were compared. After a failback it
 * is the Azure machine that must stay stopped. A watch that sees nothing says so.
 */
import { CancellationScope, sleep } from '@temporalio/workflow';
import type { HomeSight, HomeSiteActivities } from '../contracts/home.ts';
import { azureSideOff } from './fence.ts';
import { divergence, homeMachines, SPLIT_BRAIN, UNWATCHED } from './item-state.ts';
import type { ItemStore } from './item-store.ts';
import { now } from './job-log.ts';
import { looks, watches } from './proxies.ts';
import { troubleOf } from './trouble.ts';

const SESSION_HOURS = 12;
const PAUSE_MS = 30_000;
const AZURE_LOOK_MS = 60_000;

type Seen = Awaited<ReturnType<HomeSiteActivities['watchHome']>>;

/** Runs until cancelled; `changed` is called when what may be replicated has changed. */
export async function watchHome(store: ItemStore, changed: () => void): Promise<never> {
  let isBlind = store.record.conditions.some(({ type }) => type === UNWATCHED);
  for (;;) {
    const { spec, homeSeen } = store.record;
    if (spec === undefined) {
      await sleep(PAUSE_MS);
      continue;
    }
    const endsAt = new Date(Date.now() + SESSION_HOURS * 3_600_000).toISOString();
    const machineIds = homeMachines(store.record);
    try {
      const last: HomeSight = isBlind ? 'unseen' : homeSeen;
      const seen: Seen = await watches(spec.site).watchHome({ item: spec, machineIds, last, endsAt });
      const { outcome } = seen;
      if (outcome === 'sessionEnded') continue;
      isBlind = outcome === 'unseen';
      if (outcome === 'unseen') {
        raiseUnwatched(store, 'vCenter does not answer', 'Check that vCenter runs and is reached.');
        continue;
      }
      store.clear(UNWATCHED);
      if (outcome === homeSeen) continue;
      show(store, outcome);
      changed();
    } catch (error) {
      if (CancellationScope.current().consideredCancelled) throw error;
      isBlind = true;
      const { reason, suggestion } = troubleOf(error);
      raiseUnwatched(store, reason, suggestion);
      await sleep(PAUSE_MS);
    }
  }
}

/** Runs until cancelled. */
export async function watchAzure(store: ItemStore): Promise<never> {
  for (;;) {
    const { spec, home } = store.record;
    if (spec !== undefined && home !== undefined) {
      try {
        const { state } = await looks(spec.target.location).azurePowerState({ azure: home.azure });
        store.clear(UNWATCHED);
        if (azureSideOff(state)) store.clear(SPLIT_BRAIN);
        else raiseAzureRuns(store, state);
      } catch (error) {
        if (CancellationScope.current().consideredCancelled) throw error;
        const { reason, suggestion } = troubleOf(error);
        raiseUnwatched(store, reason, suggestion);
      }
    }
    await sleep(AZURE_LOOK_MS);
  }
}

function raiseAzureRuns(store: ItemStore, state: string): void {
  store.raise({
    type: SPLIT_BRAIN,
    category: 'critical',
    reason: `the Azure machine is ${state} while the machine runs at home`,
    suggestion:
      'Stop it in Azure. What it writes is lost when the failback is committed; commit is refused meanwhile.',
    since: now(),
  });
}

function raiseUnwatched(store: ItemStore, why: string, suggestion: string): void {
  const reason = `nobody sees whether the other side is off: ${why}`;
  store.raise({ type: UNWATCHED, category: 'warning', reason, suggestion, since: now() });
}

function show(store: ItemStore, seen: 'on' | 'off'): void {
  const { home, homeStarts } = store.record;
  if (seen === 'off') {
    store.clear(SPLIT_BRAIN);
    store.change({ homeSeen: 'off' });
    return;
  }
  store.change({ homeSeen: 'on', homeStarts: homeStarts + 1 });
  store.raise({
    type: SPLIT_BRAIN,
    category: 'critical',
    reason: 'the machine was powered on at home while it runs in Azure',
    suggestion:
      'Power it off in vCenter. What it wrote is lost on the way home; nothing is written to its disks meanwhile.',
    since: now(),
  });
  if (home !== undefined) store.raise(divergence(now()));
}
