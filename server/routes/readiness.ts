import type { ServerDeps } from '../deps.ts';
import type { Handlers } from '../handlers.ts';
import { notificationMetrics } from '../notifications/notification-metrics.ts';
import { readinessMetrics } from '../readiness-metrics.ts';
import { readinessOfAll, readinessOfStoredPlan } from '../readiness.ts';
import { planNamed } from './recovery-plans.ts';

export function readinessHandlers(deps: ServerDeps) {
  return {
    getReadiness: () => readinessOfAll(deps),

    getMetrics: async () => {
      const [readiness, notifications] = await Promise.all([
        readinessOfAll(deps),
        notificationMetrics(deps.catalogue, new Date()),
      ]);
      return readinessMetrics(readiness) + notifications;
    },

    getPlanReadiness: async ({ params }) =>
      readinessOfStoredPlan(deps, await planNamed(deps.catalogue, params.name)),
  } satisfies Partial<Handlers>;
}
