/** Who belongs to a recovery plan now: its selectors, over discovered machines and protected items. */
import { asId, type MachineId, type ProtectedItemId } from '../domain/ids.ts';
import type { DiscoveredMachine, ItemSpec } from '../domain/machine.ts';
import { memberDigest } from '../domain/plan/member-digest.ts';
import { driftOf, membershipOf, type Candidate, type MemberProblem } from '../domain/plan/members.ts';
import type { RecoveryPlan } from '../domain/plan/plan.ts';
import type { StoredPlan } from '../domain/plan/stored.ts';
import type { RunMember } from '../workflows/contracts/plan.ts';
import type { ItemView } from '../workflows/contracts/types.ts';
import type { Catalogue } from './catalogue/catalogue.ts';

export interface ResolvedMembers {
  readonly members: readonly RunMember[];
  readonly problems: readonly MemberProblem[];
}

/** Members of a run that would begin now, in the order of the plan. With problems it would leave something behind. */
export async function resolveMembers(catalogue: Catalogue, plan: RecoveryPlan): Promise<ResolvedMembers> {
  return membersIn(await estateOf(catalogue), plan);
}

export function membersIn(estate: Estate, plan: RecoveryPlan): ResolvedMembers {
  const { items, planned, problems } = resolved(plan, estate);
  const members = planned.flatMap(({ group, itemId }): RunMember[] => {
    const item = items.get(itemId);
    return item?.spec === undefined
      ? []
      : [runMember(group, item, item.spec, estate.machines.get(item.spec.machineId))];
  });
  return { members, problems };
}

/** The same for people, and what has drifted out of all plans. */
export async function previewMembers(catalogue: Catalogue, { name, version, plan }: StoredPlan) {
  const [estate, plans] = await Promise.all([estateOf(catalogue), catalogue.newestPlans()]);
  const { planned, problems } = resolved(plan, estate);
  const all = plans.map((stored) => ({
    plan: stored.plan,
    members: membershipOf(stored.plan, estate.candidates).members,
  }));
  return {
    name,
    version,
    groups: plan.groups.map(({ name: group }) => ({
      group,
      members: planned.flatMap(({ group: of, ...member }) => (of === group ? [member] : [])),
    })),
    problems,
    drift: driftOf(all, estate.candidates).map(({ machineId, name, ...rest }) => ({
      machineId,
      name,
      ...whereabouts(rest),
    })),
  };
}

/** Machines and protected items, read once for several plans. */
export interface Estate {
  /** As discovery saw them last. */
  readonly machines: ReadonlyMap<MachineId, DiscoveredMachine>;
  readonly candidates: readonly Candidate[];
  readonly items: ReadonlyMap<ProtectedItemId, ItemView>;
}

/** What a run needs to know of a member is known once its machine was checked. */
function resolved(plan: RecoveryPlan, { candidates, items }: Estate) {
  const { members, problems } = membershipOf(plan, candidates);
  const planned = members.flatMap(({ itemId, ...member }) =>
    itemId === undefined ? [] : [{ ...member, itemId }],
  );
  const early = planned.filter(({ itemId }) => items.get(itemId)?.spec === undefined);
  const told = early.map(({ group, name }) => ({
    group,
    selector: name,
    reason: `protection of machine "${name}" is still being enabled`,
  }));
  return { items, planned, problems: [...problems, ...told] };
}

export async function estateOf(catalogue: Catalogue): Promise<Estate> {
  const [machines, items] = await Promise.all([catalogue.allMachines(), catalogue.livingItems()]);
  return {
    machines: new Map(machines.map((machine) => [machine.id, machine])),
    candidates: candidatesOf(machines, items),
    items: new Map(items.map((item) => [item.itemId, item])),
  };
}

/** Every protected item once, wherever its machine runs, and every machine that is none. */
function candidatesOf(machines: readonly DiscoveredMachine[], items: readonly ItemView[]): Candidate[] {
  const byId = new Map(machines.map((machine) => [machine.id, machine]));
  const taken = new Set(items.flatMap(machineIds));
  return [
    ...items.map((item) => protectedCandidate(item, byId)),
    ...machines
      .filter(({ id }) => !taken.has(id))
      .map((machine) => ({
        machineId: machine.id,
        name: machine.name,
        ...whereabouts(machine),
        isProtected: false,
      })),
  ];
}

function protectedCandidate(item: ItemView, machines: ReadonlyMap<MachineId, DiscoveredMachine>): Candidate {
  const ids = machineIds(item);
  const known = ids.flatMap((id) => machines.get(id) ?? []);
  return {
    machineId: ids[0] ?? item.itemId,
    name: item.machineName,
    ...whereabouts(known[0]),
    isProtected: true,
    itemId: item.itemId,
  };
}

/** At home the item may have become another machine; the newest comes first. */
function machineIds({ itemId, spec, home }: ItemView): MachineId[] {
  const all = [home?.home.machineId, spec?.machineId, asId<MachineId>(itemId)].filter(
    (id) => id !== undefined,
  );
  return [...new Set(all)];
}

type Whereabouts = Pick<Candidate, 'tags' | 'folder'>;

function whereabouts({ tags, folder }: Whereabouts = {}): Whereabouts {
  return { ...(tags === undefined ? {} : { tags }), ...(folder === undefined ? {} : { folder }) };
}

function runMember(group: string, item: ItemView, spec: ItemSpec, machine?: DiscoveredMachine): RunMember {
  return {
    itemId: item.itemId,
    machineName: item.machineName,
    group,
    site: spec.site,
    location: spec.target.location,
    digest: memberDigest(spec, machine),
    rpoThresholdSeconds: spec.policy.rpoThresholdSeconds,
    vmSize: spec.target.vmSize,
    guestFamily: spec.guestFamily,
    subnetId: spec.target.subnetId,
    disks: spec.disks.length,
    situation: { state: item.state, drill: item.drill.state },
  };
}
