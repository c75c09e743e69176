/** What is scarce while the machines of a plan move, and what one of them needs of it. */
import { usableAddresses } from '../network.ts';
import { INTERFACES, type RegionLook } from './clashes.ts';
import type { PlanRunKind, RecoveryPlan } from './plan.ts';
import type { Needs, Supply } from './scheduler.ts';

/**
 * Machines that a run moves at the same time where nothing else bounds it. Each writes about ten times to Resource
 * Manager, whose bucket holds 200 writes and refills with 10 a second per subscription (learn.microsoft.com, "Understand how Azure
 * Resource Manager throttles requests"); what is refused above that is tried again, later.
 */
const MACHINES_AT_ONCE = 100;
/** Snapshots and power operations that a run asks of one site's vCenters at the same time; ours. */
const AT_ONE_SITE = 32;

/** Where a machine of a run stands, and what it will be in Azure. */
export interface MemberDemand {
  readonly group: string;
  readonly site: string;
  readonly location: string;
  readonly vmSize?: string;
  /** Where its network interface will be. */
  readonly subnetId?: string;
  /** Each takes a slot of the master target while it is written at home. */
  readonly disks?: number;
  /** It was where the run brings it when the run began: nothing is made of it. */
  readonly isThere?: true;
}

/** What a site's master target says. */
export interface SlotsLook {
  readonly site: string;
  readonly slots: number;
  readonly used: number;
}

/** Parts of a machine's move; `prepare` ends before the machine starts. */
export type DemandPhase = 'whole' | 'prepare' | 'start' | 'leave';

type Sizes = RegionLook['sizes'];

const TURN: Supply = {
  id: 'turn',
  name: 'turn among the machines of the run',
  free: MACHINES_AT_ONCE,
  keptBy: 'move',
};
const PLAN_CORES = 'cores of the plan';

/** What the plan itself bounds, and what bounds every run. */
export function planSupplies(
  { groups, limits }: Pick<RecoveryPlan, 'groups' | 'limits'>,
  members: readonly Pick<MemberDemand, 'site'>[],
): Supply[] {
  const { machinesAtOnce, cores } = limits;
  const sites = [...new Set(members.map(({ site }) => site))];
  return [
    TURN,
    ...sites.map((site) => ofMove(turnAt(site), `turn at the vCenters of site ${site}`, AT_ONE_SITE)),
    ...(machinesAtOnce === undefined
      ? []
      : groups.map(({ name }) =>
          ofMove(turnIn(name), `turn among the machines of group ${name}`, machinesAtOnce),
        )),
    ...(cores === undefined ? [] : [ofRun(PLAN_CORES, 'cores that the plan allows', cores)]),
  ];
}

/** What Azure has left in a region. */
export function azureSupplies({ location, usages, subnets }: RegionLook): Supply[] {
  return [
    ...usages.map(({ name, used, limit }) =>
      ofRun(quotaOf(location, name), `${name} in ${location}`, Math.max(0, limit - used)),
    ),
    ...subnets.flatMap(({ subnetId, facts }) => {
      const usable = facts === undefined ? null : usableAddresses(facts.addressPrefix);
      if (facts === undefined || usable === null) return [];
      const name = `addresses in subnet ${subnetId.slice(subnetId.lastIndexOf('/') + 1)}`;
      return [ofRun(addressesOf(subnetId), name, Math.max(0, usable - facts.usedAddresses.length))];
    }),
  ];
}

/** What master targets have left: a disk takes its slot while it is written, most of all by its first copy. */
export function slotSupplies(looks: readonly SlotsLook[]): Supply[] {
  return looks.map(({ site, slots, used }) =>
    ofMove(slotsAt(site), `disk slots of the master target of site ${site}`, Math.max(0, slots - used)),
  );
}

/** An address and an interface are taken when the machine is made ready, a core when it starts. */
export function needsFor(kind: PlanRunKind, demand: MemberDemand, phase: DemandPhase, sizes: Sizes): Needs {
  if (phase === 'leave') return {};
  if (demand.isThere === true) return { [TURN.id]: 1 };
  const isInAzure = kind === 'test' || kind === 'failover';
  const isAtHome = kind !== 'test' && kind !== 'cleanup' && phase !== 'start';
  return {
    [TURN.id]: 1,
    ...(isAtHome ? { [turnAt(demand.site)]: 1 } : {}),
    ...(phase === 'prepare' ? {} : { [turnIn(demand.group)]: 1 }),
    ...(isInAzure && phase !== 'start' ? interfaceNeeds(demand) : {}),
    ...(isInAzure && phase !== 'prepare' ? machineNeeds(demand, sizes) : {}),
    ...(kind === 'reprotect' ? { [slotsAt(demand.site)]: demand.disks ?? 0 } : {}),
  };
}

/** Taking back is bounded as moving is; what it frees it does not wait for. */
export function needsOfUndo(kind: PlanRunKind, { site }: Pick<MemberDemand, 'site'>): Needs {
  return { [TURN.id]: 1, ...(kind === 'test' ? {} : { [turnAt(site)]: 1 }) };
}

/** Unknown sizes count nothing. */
export function coresOf({ vmSize = '' }: Pick<MemberDemand, 'vmSize'>, sizes: Sizes): number {
  return sizeOf(vmSize, sizes)?.cores ?? 0;
}

function interfaceNeeds({ location, subnetId }: MemberDemand): Needs {
  return {
    [quotaOf(location, INTERFACES)]: 1,
    ...(subnetId === undefined ? {} : { [addressesOf(subnetId)]: 1 }),
  };
}

function machineNeeds({ location, vmSize = '' }: MemberDemand, sizes: Sizes): Needs {
  const size = sizeOf(vmSize, sizes);
  return {
    [quotaOf(location, 'virtualMachines')]: 1,
    ...(size === undefined
      ? {}
      : {
          [PLAN_CORES]: size.cores,
          [quotaOf(location, 'cores')]: size.cores,
          [quotaOf(location, size.family)]: size.cores,
        }),
  };
}

function sizeOf(vmSize: string, sizes: Sizes): Sizes[number] | undefined {
  return sizes.find(({ name }) => name.toLowerCase() === vmSize.toLowerCase());
}

function ofMove(id: string, name: string, free: number): Supply {
  return { id, name, free, keptBy: 'move' };
}

function ofRun(id: string, name: string, free: number): Supply {
  return { id, name, free, keptBy: 'run' };
}

const turnAt = (site: string) => `site ${site}`;
const turnIn = (group: string) => `group ${group}`;
const slotsAt = (site: string) => `slots ${site}`;
const quotaOf = (location: string, name: string) => `quota ${location} ${name}`.toLowerCase();
const addressesOf = (subnetId: string) => `addresses ${subnetId}`.toLowerCase();
