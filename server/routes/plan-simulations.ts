import { randomInt } from 'node:crypto';
import type { ServerDeps } from '../deps.ts';
import type { Handlers } from '../handlers.ts';
import { simulateStoredPlan } from '../plan-simulation.ts';
import { planNamed } from './recovery-plans.ts';

const SEEDS = 2 ** 31;

export function planSimulationHandlers(deps: ServerDeps) {
  return {
    simulatePlan: async ({ params, body }) =>
      simulateStoredPlan(deps, await planNamed(deps.catalogue, params.name), {
        ...body,
        seed: body.seed ?? randomInt(SEEDS),
      }),
  } satisfies Partial<Handlers>;
}
