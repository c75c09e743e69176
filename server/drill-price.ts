/** What a drill would cost, by the calculation that it is held against when it begins. Reads only. */
import { DrError } from '../domain/errors.ts';
import type { Clash, RegionLook } from '../domain/plan/clashes.ts';
import {
  COUNTED,
  costedMachine,
  drillCost,
  kindsOf,
  limitWords,
  LIST_CURRENCY,
  tooDear,
  unpricedWords,
  type CostedMachine,
  type DrillCost,
  type RegionPrices,
} from '../domain/plan/drill-cost.ts';
import type { CostLimit } from '../domain/plan/plan.ts';
import type { StoredPlan } from '../domain/plan/stored.ts';
import type { RunMember } from '../workflows/contracts/plan.ts';
import type { ServerDeps } from './deps.ts';

type Deps = Pick<ServerDeps, 'runbooks' | 'log'>;

/** A region whose prices nobody told. */
interface SilentRegion {
  readonly location: string;
  readonly silence: string;
}

interface PricedDrill extends DrillCost {
  readonly currency: string;
  readonly limit?: number;
  readonly counted: string;
}

interface DrillPrice {
  /** Absent: nothing has a price. */
  readonly cost?: PricedDrill;
  readonly clashes: readonly Clash[];
  readonly notChecked: readonly string[];
}

/** A simulation goes on without prices, and says so. `sizes`: as the regions spell them. */
export async function drillPrice(
  deps: Deps,
  { name, plan }: Pick<StoredPlan, 'name' | 'plan'>,
  members: readonly RunMember[],
  sizes: RegionLook['sizes'],
): Promise<DrillPrice> {
  const { costLimit: limit, cleanupAfterSeconds } = plan.drill;
  const currency = limit?.currency ?? LIST_CURRENCY;
  const machines = members.map((member) => costedMachine(member, sizes));
  const asked = await pricesOf(deps, machines, currency);
  const regions = asked.filter((region) => 'prices' in region);
  const silent = asked.filter((region) => 'silence' in region);
  const cost = drillCost(machines, regions, cleanupAfterSeconds);
  const unlisted = unlistedWords(cost, machines, silent);
  const refusals = limit === undefined ? [] : refusalsOf(name, limit, { cost, unlisted });
  const priced = {
    ...cost,
    currency,
    counted: COUNTED,
    ...(limit === undefined ? {} : { limit: limit.amount }),
  };
  return {
    ...(cost.machines.length === 0 ? {} : { cost: priced }),
    clashes: refusals.map(({ message }) => ({ kind: 'plan', message, machines: [] })),
    notChecked: [
      ...silent.map((region) => silenceWords(region, limit)),
      ...(limit === undefined ? unlisted.map((reason) => `what the drill costs in full: ${reason}`) : []),
    ],
  };
}

function pricesOf(
  { runbooks, log }: Deps,
  machines: readonly CostedMachine[],
  currency: string,
): Promise<(RegionPrices | SilentRegion)[]> {
  const regions = [...Map.groupBy(machines, ({ location }) => location)];
  return Promise.all(
    regions.map(async ([location, here]) => {
      try {
        const prices = await runbooks.priceMachines({ location, currency, machines: kindsOf(here) });
        return { location, prices };
      } catch (error) {
        if (!(error instanceof DrError)) throw error;
        log.warn({ err: error, location }, 'prices of a region cannot be looked at');
        return { location, silence: error.message };
      }
    }),
  );
}

/** At most one: machines that the list was asked about and has no price for. */
function unlistedWords(
  cost: DrillCost,
  machines: readonly CostedMachine[],
  silent: readonly SilentRegion[],
): string[] {
  const unheard = new Set(silent.map(({ location }) => location));
  const heard = new Set(
    machines.filter(({ location }) => !unheard.has(location)).map(({ machineName }) => machineName),
  );
  const unpriced = cost.unpriced.filter((name) => heard.has(name));
  if (unpriced.length === 0) return [];
  return [`the price list of Azure has no price for ${unpricedWords({ unpriced }, machines)}`];
}

/** What the drill would be refused with. */
function refusalsOf(
  plan: string,
  limit: CostLimit,
  { cost, unlisted }: { readonly cost: DrillCost; readonly unlisted: readonly string[] },
): DrError[] {
  return [
    ...(cost.amount > limit.amount ? [new DrError('DR_DRILL_TOO_DEAR', tooDear(plan, cost, limit))] : []),
    ...unlisted.map(
      (reason) => new DrError('DR_DRILL_PRICE_UNKNOWN', { plan, limit: limitWords(limit), reason }),
    ),
  ];
}

function silenceWords({ location, silence }: SilentRegion, limit: CostLimit | undefined): string {
  const refused = limit === undefined ? '' : '; with drill.costLimit a drill does not begin without it';
  return `what the drill costs in ${location}: ${silence}${refused}`;
}
