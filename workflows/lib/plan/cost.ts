/**
 * What a drill costs, held against the limit of its plan before anything begins. A drill is no emergency: one whose price
 * nobody knows does not begin either. A failover never asks.
 */
import {
  costedMachine,
  costWords,
  drillCost,
  kindsOf,
  limitWords,
  tooDear,
  unpricedWords,
  type DrillCost,
  type RegionPrices,
} from '../../../domain/plan/drill-cost.ts';
import type { CostLimit } from '../../../domain/plan/plan.ts';
import type { MachineKind } from '../../../domain/ports.ts';
import { jobError, refusal, rethrowIfCancelled } from '../failures.ts';
import { priceLooks } from '../proxies.ts';
import type { PlanContext } from './context.ts';

/** @throws DR_DRILL_TOO_DEAR, DR_DRILL_PRICE_UNKNOWN */
export async function refuseTooDear(context: PlanContext): Promise<void> {
  const { kind, plan } = context.input;
  const { costLimit } = plan.plan.drill;
  if (kind !== 'test' || costLimit === undefined) return;
  const look = () => affordable(context, costLimit);
  await context.log.step('cost', 'See what the drill costs', look, (cost) => wordsOf(cost, costLimit));
}

async function affordable(context: PlanContext, limit: CostLimit): Promise<DrillCost> {
  const { plan, members } = context.input;
  const machines = members.map((member) => costedMachine(member, context.sizes));
  const regions: RegionPrices[] = [];
  for (const location of new Set(machines.map((machine) => machine.location))) {
    const kinds = kindsOf(machines.filter((machine) => machine.location === location));
    regions.push({ location, prices: await pricesOf(context, location, { limit, kinds }) });
  }
  const cost = drillCost(machines, regions, plan.plan.drill.cleanupAfterSeconds);
  if (cost.unpriced.length > 0) {
    throw unknown(
      context,
      limit,
      `the price list of Azure has no price for ${unpricedWords(cost, machines)}`,
    );
  }
  if (cost.amount > limit.amount) {
    throw refusal('DR_DRILL_TOO_DEAR', tooDear(plan.name, cost, limit));
  }
  return cost;
}

async function pricesOf(
  context: PlanContext,
  location: string,
  { limit, kinds }: { readonly limit: CostLimit; readonly kinds: readonly MachineKind[] },
) {
  const { currency } = limit;
  try {
    return await priceLooks(location).priceMachines({ location, currency, machines: kinds });
  } catch (error) {
    rethrowIfCancelled(error);
    throw unknown(context, limit, jobError(error).message);
  }
}

function unknown({ input }: PlanContext, limit: CostLimit, reason: string): Error {
  return refusal('DR_DRILL_PRICE_UNKNOWN', { plan: input.plan.name, limit: limitWords(limit), reason });
}

function wordsOf({ hours, amount, machines }: DrillCost, limit: CostLimit): string {
  const cost = costWords(amount, limit.currency);
  return `${hours} h of ${machines.length} machines cost ${cost} by the price list, the limit is ${limitWords(limit)}`;
}
