/** A drill that nobody asks for, as it is pinned when it begins. */
import type { PlanRunInput } from '../workflows/contracts/plan.ts';
import type { ServerDeps } from './deps.ts';
import { pinPlan } from './pin-plan.ts';
import { predictionOf } from './plan-prediction.ts';

/** With what the simulation says of it. @throws DR_PLAN_UNKNOWN, DR_PLAN_NOT_READY */
export async function pinDrill(
  deps: Pick<ServerDeps, 'catalogue' | 'points' | 'log'>,
  planName: string,
): Promise<Pick<PlanRunInput, 'plan' | 'members' | 'subnetId' | 'prediction'>> {
  const pinned = await pinPlan(deps.catalogue, planName);
  const prediction = await predictionOf(deps, { ...pinned, kind: 'test' });
  return { ...pinned, ...(prediction === undefined ? {} : { prediction }) };
}
