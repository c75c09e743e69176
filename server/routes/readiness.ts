import type { ServerDeps } from '../deps.ts';
import type { Handlers } from '../handlers.ts';
import { readinessMetrics } from '../readiness-metrics.ts';
import { readinessOfAll, readinessOfStoredPlan } from '../readiness.ts';
import { planNamed } from './recovery-plans.ts';

export function readinessHandlers(deps: ServerDeps) {
  return {
    getReadiness: () => readinessOfAll(deps),

    getMetrics: async () => readinessMetrics(await readinessOfAll(deps)),

    getPlanReadiness: async ({ params }) =>
      readinessOfStoredPlan(deps, await planNamed(deps.catalogue, params.name)),
  } satisfies Partial<Handlers>;
}
