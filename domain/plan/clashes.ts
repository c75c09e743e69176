/** What would be in the way of a run, found before anything is touched: from what is recorded, and from what Azure says. */
import { isUsableIn, usableAddresses } from '../network.ts';
import { azureNames } from '../names.ts';
import type { RunMode, SubnetFacts, VmSize } from '../ports/azure.ts';
import type { RecoveryPlan } from './plan.ts';

export const clashKinds = ['address', 'name', 'quota', 'subnet', 'busy', 'refused', 'plan', 'time'] as const;

export interface Clash {
  readonly kind: (typeof clashKinds)[number];
  /** What clashes, with its values. */
  readonly message: string;
  /** Names; empty: it is about the plan. */
  readonly machines: readonly string[];
}

/** A machine that the run would make in Azure. */
export interface PlannedMachine {
  readonly machineName: string;
  readonly location: string;
  readonly vmSize: string;
  readonly subnetId: string;
  /** Absent: the next free one. */
  readonly privateIpAddress?: string;
  /** Of the operator's own; absent: the run makes one for each machine. */
  readonly resourceGroup?: string;
}

/** What Azure answers about one region. */
export interface RegionLook {
  readonly location: string;
  readonly sizes: readonly Pick<VmSize, 'name' | 'cores' | 'family' | 'restriction'>[];
  readonly usages: readonly { readonly name: string; readonly used: number; readonly limit: number }[];
  /** Without facts: there is no such subnet. */
  readonly subnets: readonly { readonly subnetId: string; readonly facts?: SubnetFacts }[];
}

/** Azure's name of the quota. */
export const INTERFACES = 'NetworkInterfaces';

/** Not where the credential may not read the quota of networking. */
export function tellsInterfaces({ usages }: Pick<RegionLook, 'usages'>): boolean {
  return usages.some(({ name }) => isSame(name, INTERFACES));
}

export function recordedClashes(machines: readonly PlannedMachine[], mode: RunMode): Clash[] {
  return [
    ...twice(machines, 'address', ({ subnetId, privateIpAddress }) =>
      privateIpAddress === undefined ? undefined : `address ${privateIpAddress} of ${subnetId}`,
    ),
    ...twice(machines, 'name', ({ machineName, resourceGroup }) =>
      resourceGroup === undefined || mode === 'test'
        ? undefined
        : `name ${azureNames.vm(machineName, mode)} in resource group ${resourceGroup}`,
    ),
  ];
}

export function azureClashes(
  machines: readonly PlannedMachine[],
  look: RegionLook,
  { mode, limits }: { readonly mode: RunMode; readonly limits: RecoveryPlan['limits'] },
): Clash[] {
  const here = machines.filter(({ location }) => isSame(location, look.location));
  return [
    ...sizeClashes(here, look),
    ...quotaClashes(here, look),
    ...coreClashes(here, look, limits),
    ...here.flatMap((machine) => addressClashes(machine, look)),
    ...look.subnets.flatMap((subnet) => subnetClashes(here, subnet, mode)),
  ];
}

/** What several machines ask for and only one can have. */
function twice(
  machines: readonly PlannedMachine[],
  kind: Clash['kind'],
  wanted: (machine: PlannedMachine) => string | undefined,
): Clash[] {
  const asked = Map.groupBy(machines, (machine) => wanted(machine)?.toLowerCase());
  return [...asked].flatMap(([what, by]) => {
    const [first] = by;
    if (what === undefined || first === undefined || by.length < 2) return [];
    const names = by.map(({ machineName }) => machineName);
    return [{ kind, message: `${wanted(first)} is asked for by ${names.join(' and ')}`, machines: names }];
  });
}

function sizeClashes(machines: readonly PlannedMachine[], { sizes, location }: RegionLook): Clash[] {
  return machines.flatMap(({ machineName, vmSize }): Clash[] => {
    const size = sizeOf(sizes, vmSize);
    const reason = size === undefined ? 'the region does not offer it' : size.restriction;
    if (reason === undefined) return [];
    return [{ kind: 'quota', message: `size ${vmSize} in ${location}: ${reason}`, machines: [machineName] }];
  });
}

/** All machines of the run together against what is left of each quota. */
function quotaClashes(machines: readonly PlannedMachine[], { sizes, usages, location }: RegionLook): Clash[] {
  const needs = new Map<string, { count: number; machines: string[] }>();
  const need = (quota: string, count: number, machine: string) => {
    const found = needs.get(quota.toLowerCase()) ?? { count: 0, machines: [] };
    found.count += count;
    found.machines.push(machine);
    needs.set(quota.toLowerCase(), found);
  };
  for (const { machineName, vmSize } of machines) {
    const size = sizeOf(sizes, vmSize);
    need('virtualMachines', 1, machineName);
    need(INTERFACES, 1, machineName);
    if (size === undefined) continue;
    need('cores', size.cores, machineName);
    need(size.family, size.cores, machineName);
  }
  return usages.flatMap(({ name, used, limit }): Clash[] => {
    const wanted = needs.get(name.toLowerCase());
    if (wanted === undefined || used + wanted.count <= limit) return [];
    const message = `quota ${name} in ${location}: the run needs ${wanted.count}, ${Math.max(0, limit - used)} of ${limit} are free`;
    return [{ kind: 'quota', message, machines: wanted.machines }];
  });
}

/** Waiting never helps a machine that needs more cores than the plan allows altogether. */
function coreClashes(
  machines: readonly PlannedMachine[],
  { sizes }: RegionLook,
  { cores: limit }: RecoveryPlan['limits'],
): Clash[] {
  if (limit === undefined) return [];
  const needed = machines.map(({ vmSize }) => sizeOf(sizes, vmSize)?.cores ?? 0);
  const sum = needed.reduce((total, each) => total + each, 0);
  if (sum <= limit) return [];
  const message = `limits.cores: the plan allows ${limit} cores, its machines need ${sum}`;
  return [{ kind: 'quota', message, machines: machines.map(({ machineName }) => machineName) }];
}

function addressClashes(machine: PlannedMachine, { subnets }: RegionLook): Clash[] {
  const { machineName, privateIpAddress: address, subnetId } = machine;
  const facts = subnets.find((each) => isSame(each.subnetId, subnetId))?.facts;
  if (address === undefined || facts === undefined) return [];
  const told = (reason: string): Clash => ({
    kind: 'address',
    message: `address ${address} ${reason}`,
    machines: [machineName],
  });
  const taken = facts.usedAddresses.find((used) => used.address === address);
  if (taken !== undefined) return [told(`is held by ${taken.owner}`)];
  if (isUsableIn(address, facts.addressPrefix) !== false) return [];
  return [told(`is none that a machine can have in subnet ${subnetId} (${facts.addressPrefix})`)];
}

function subnetClashes(
  machines: readonly PlannedMachine[],
  { subnetId, facts }: RegionLook['subnets'][number],
  mode: RunMode,
): Clash[] {
  const inside = machines.filter((machine) => isSame(machine.subnetId, subnetId));
  const names = inside.map(({ machineName }) => machineName);
  const told = (message: string): Clash => ({ kind: 'subnet', message, machines: names });
  if (facts === undefined) return [told(`subnet ${subnetId} does not exist`)];
  const usable = usableAddresses(facts.addressPrefix);
  const free = usable === null ? null : Math.max(0, usable - facts.usedAddresses.length);
  return [
    ...(mode === 'test' && facts.reaches.length > 0
      ? [told(`network ${facts.networkId} of a drill is not isolated: ${facts.reaches.join('; ')}`)]
      : []),
    ...(free !== null && free < inside.length
      ? [told(`subnet ${subnetId} has ${free} free addresses, ${inside.length} are needed`)]
      : []),
  ];
}

function sizeOf(sizes: RegionLook['sizes'], name: string) {
  return sizes.find((size) => isSame(size.name, name));
}

function isSame(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}
