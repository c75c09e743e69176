/** Deliveries and watches in the text format of Prometheus. */
import type { Catalogue } from '../catalogue/catalogue.ts';
import { escaped, gauge } from '../readiness-metrics.ts';

const watches = ['readiness', 'drills'] as const;

/** A watch that has never looked has no age. */
export async function notificationMetrics(
  { outbox, watches: memory }: Catalogue,
  now: Date,
): Promise<string> {
  const counts = await outbox.count();
  const looks = await Promise.all(watches.map(async (name) => ({ name, at: await memory.lastLook(name) })));
  return [
    gauge(
      'switchback_notification_deliveries',
      'Deliveries of notifications of the last 90 days.',
      counts.map(({ receiver, state, deliveries }) => [
        `receiver="${escaped(receiver)}",state="${state}"`,
        deliveries,
      ]),
    ),
    gauge(
      'switchback_watch_age_seconds',
      'Since the watch has looked last; it looks once a minute.',
      looks.map(({ name, at }) => [
        `watch="${name}"`,
        at === undefined ? undefined : Math.max(0, now.getTime() - at.getTime()) / 1_000,
      ]),
    ),
  ].join('');
}
