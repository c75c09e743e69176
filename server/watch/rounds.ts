/** What the configuration server does by itself, beside answering. */
import type { ServerDeps } from '../deps.ts';
import { repeat } from '../repeat.ts';
import { watchDrills } from './drill-watch.ts';
import { watchReadiness } from './readiness-watch.ts';

const DELIVER_EVERY_MS = 5_000;
/** Asks whether it is time; looks are further apart. */
const ASK_EVERY_MS = 10_000;

/** Delivers notifications and watches readiness and schedules, until the signal aborts. */
export async function runRounds(deps: ServerDeps, signal: AbortSignal): Promise<void> {
  const { log, notifier } = deps;
  const rounds = [
    { what: 'addressing notifications', everyMs: DELIVER_EVERY_MS, work: () => notifier.address() },
    // A round of its own for each: one that answers slowly delays no other.
    ...notifier.receivers.map((name) => ({
      what: `delivering notifications to ${name}`,
      everyMs: DELIVER_EVERY_MS,
      work: () => notifier.deliverTo(name, signal),
    })),
    { what: 'watching readiness', everyMs: ASK_EVERY_MS, work: () => watchReadiness(deps, new Date()) },
    { what: 'watching schedules', everyMs: ASK_EVERY_MS, work: () => watchDrills(deps, new Date()) },
  ];
  await Promise.all(rounds.map(({ what, everyMs, work }) => repeat(work, { what, everyMs, log, signal })));
}
