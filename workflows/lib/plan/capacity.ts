/**
 * What Azure, or a master target, has room for, looked at before machines begin and again while some wait for it. Who
 * does not answer bounds nothing: on the worst night a look must not stop a failover, and what does not fit is refused
 * where it is made.
 */
import { condition, sleep } from '@temporalio/workflow';
import { tellsInterfaces, type RegionLook } from '../../../domain/plan/clashes.ts';
import { memberMove } from '../../../domain/plan/member-move.ts';
import type { PlanRunKind } from '../../../domain/plan/plan.ts';
import type { Supply } from '../../../domain/plan/scheduler.ts';
import {
  azureSupplies,
  coresOf,
  planSupplies,
  slotSupplies,
  type MemberDemand,
  type SlotsLook,
} from '../../../domain/plan/supplies.ts';
import type { RunMember } from '../../contracts/plan.ts';
import { jobError, refusal, rethrowIfCancelled } from '../failures.ts';
import { azureLooks, landAnswers } from '../proxies.ts';
import type { PlanContext } from './context.ts';
import { refuseTooDear } from './cost.ts';

const LOOK_AGAIN_SECONDS = 60;
const LOOK_AGAIN_SECONDS_MAX = 900;
const LOOKS_BEFORE_ASKING = 2;

interface Measured {
  readonly supplies: readonly Supply[];
  /** For people. */
  readonly words: string;
}

interface Measure {
  readonly name: string;
  look(context: PlanContext): Promise<Measured>;
}

const inAzure: Measure = { name: 'See what Azure has room for', look: lookAtRegions };

/** Runs that make something which may run out. */
const measures: Partial<Record<PlanRunKind, Measure>> = {
  test: inAzure,
  failover: inAzure,
  reprotect: { name: 'See what the master targets have room for', look: lookAtMasterTargets },
};

/** What the machine will be in Azure: a drill's interface is in the drill's subnet. */
export function demandOf({ input }: PlanContext, member: RunMember): MemberDemand {
  const { group, site, location, vmSize, disks, situation, subnetId: real } = member;
  // A scheduled cleanup has the members of its drill, as they stood before it.
  const isMeasured = measures[input.kind] !== undefined;
  const isThere =
    isMeasured && situation !== undefined && memberMove(input.kind, situation).kind === 'reached';
  const subnetId = input.kind === 'test' ? input.subnetId : real;
  return {
    group,
    site,
    location,
    ...(vmSize === undefined ? {} : { vmSize }),
    ...(subnetId === undefined ? {} : { subnetId }),
    ...(disks === undefined ? {} : { disks }),
    ...(isThere ? { isThere } : {}),
  };
}

/**
 * @throws DR_PLAN_NOT_READY when the machines need more cores than the plan allows: waiting would not help;
 * DR_DRILL_TOO_DEAR, DR_DRILL_PRICE_UNKNOWN
 */
export async function lookAtCapacity(context: PlanContext): Promise<void> {
  const { kind, plan, members } = context.input;
  const own = planSupplies(plan.plan, members);
  context.fleet.supply(own);
  const measure = measures[kind];
  if (measure === undefined) return;
  const look = () => measure.look(context);
  const { supplies } = await context.log.step('capacity', measure.name, look, ({ words }) => words);
  refuseTooMany(context);
  await refuseTooDear(context);
  context.fleet.supply([...own, ...supplies]);
  // Ends with the workflow.
  lookAgain(context, measure).catch(() => undefined);
}

/**
 * Quota that was raised, and addresses and slots that somebody gave back, are noticed while machines wait for them and nothing
 * moves. Where a look changes nothing somebody decides about the first that waits; unattended, the run ends.
 */
async function lookAgain(context: PlanContext, measure: Measure): Promise<never> {
  const { fleet, input, desk } = context;
  let [pauseSeconds, looks] = [LOOK_AGAIN_SECONDS, 0];
  for (;;) {
    await condition(() => fleet.isStuck);
    await sleep(pauseSeconds * 1_000);
    if (!fleet.isStuck) continue;
    const { supplies } = await measure.look(context);
    if (!fleet.isStuck) continue;
    looks += 1;
    fleet.supplyAnew(planSupplies(input.plan.plan, input.members), supplies);
    await fleet.admitted();
    if (!fleet.isStuck) [pauseSeconds, looks] = [LOOK_AGAIN_SECONDS, 0];
    else if (looks >= LOOKS_BEFORE_ASKING) {
      const member = fleet.giveUpFirst();
      const tasks = ['ready', 'machine'].map((part) => `${part}-${member?.machineName ?? ''}`);
      const isAsked = () => tasks.some((task) => desk.isAsking(task));
      // What becomes of it may change what the others wait for.
      await sleep(1_000);
      await condition(() => !isAsked());
      pauseSeconds = LOOK_AGAIN_SECONDS;
    } else pauseSeconds = Math.min(pauseSeconds * 2, LOOK_AGAIN_SECONDS_MAX);
  }
}

async function lookAtRegions(context: PlanContext): Promise<Measured> {
  const { input } = context;
  const looks: RegionLook[] = [];
  for (const location of new Set(input.members.map((member) => member.location))) {
    const here = input.members.filter((member) => member.location === location);
    const demands = here.map((member) => demandOf(context, member));
    const vmSizes = [...new Set(demands.flatMap(({ vmSize }) => vmSize ?? []))];
    const subnetIds = [...new Set(demands.flatMap(({ subnetId }) => subnetId ?? []))];
    try {
      looks.push(await azureLooks(location).lookAtRegion({ location, vmSizes, subnetIds }));
    } catch (error) {
      context.unseen[location] = jobError(error).message;
    }
  }
  context.sizes = looks.flatMap(({ sizes }) => sizes);
  return { supplies: looks.flatMap(azureSupplies), words: wordsOf(context, looks) };
}

async function lookAtMasterTargets(context: PlanContext): Promise<Measured> {
  const moving = context.input.members.filter((member) => demandOf(context, member).isThere !== true);
  const sites = [...new Set(moving.map(({ site }) => site))];
  const looks: SlotsLook[] = [];
  for (const site of sites) {
    try {
      looks.push({ site, ...(await landAnswers(site).answerLand()) });
    } catch (error) {
      // Its machines' own prerequisites ask again, and say what is missing.
      rethrowIfCancelled(error);
    }
  }
  const needed = moving.reduce((sum, { disks = 0 }) => sum + disks, 0);
  const seen = sites.map((site) => {
    const look = looks.find((each) => each.site === site);
    const free = look === undefined ? 'unknown how many' : Math.max(0, look.slots - look.used);
    return `${free} free at site ${site}`;
  });
  return { supplies: slotSupplies(looks), words: [`${needed} disk slots needed`, ...seen].join('; ') };
}

function wordsOf(context: PlanContext, looks: readonly RegionLook[]): string {
  const { unseen } = context;
  const cores = coresNeeded(context);
  const seen = looks.map(({ location, usages }) => {
    const quota = usages.find(({ name }) => name.toLowerCase() === 'cores');
    return quota === undefined ? location : `${quota.limit - quota.used} cores free in ${location}`;
  });
  const silent = Object.entries(unseen).map(
    ([location, reason]) => `${location} is not looked at: ${reason}`,
  );
  const uncounted = looks
    .filter((look) => !tellsInterfaces(look))
    .map(({ location }) => `${location} does not tell its quota of network interfaces`);
  return [`${cores} cores needed`, ...seen, ...uncounted, ...silent].join('; ');
}

function coresNeeded(context: PlanContext): number {
  const demands = context.input.members.map((member) => demandOf(context, member));
  const moving = demands.filter(({ isThere }) => isThere !== true);
  return moving.reduce((sum, demand) => sum + coresOf(demand, context.sizes), 0);
}

function refuseTooMany(context: PlanContext): void {
  const { name, plan } = context.input.plan;
  const { cores } = plan.limits;
  const needed = coresNeeded(context);
  if (cores === undefined || needed <= cores) return;
  const problems = `limits.cores: the plan allows ${cores} cores, its machines need ${needed}`;
  throw refusal('DR_PLAN_NOT_READY', { plan: name, problems });
}
