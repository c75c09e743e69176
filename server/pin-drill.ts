/** A drill that nobody asks for, as it is pinned when it begins. */
import type { PlanRunInput } from '../workflows/contracts/plan.ts';
import type { ServerDeps } from './deps.ts';
import { pinPlan } from './pin-plan.ts';
import { predictionOf } from './plan-prediction.ts';

/** Of every drill that nobody asks for. */
const choice = { kind: 'latestProcessed' } as const;

/** With what the simulation says of it. @throws DR_PLAN_UNKNOWN, DR_PLAN_NOT_READY */
export async function pinDrill(
  deps: Pick<ServerDeps, 'catalogue' | 'points' | 'log'>,
  planName: string,
): Promise<Pick<PlanRunInput, 'plan' | 'members' | 'subnetId' | 'prediction'>> {
  const pinned = await pinPlan(deps.catalogue, planName);
  const prediction = await predictionOf(deps, { ...pinned, kind: 'test', choice });
  return { ...pinned, ...(prediction === undefined ? {} : { prediction }) };
}
