/** A plan and its machines as a run that begins now pins them. */
import { DrError } from '../domain/errors.ts';
import type { RecoveryPlan } from '../domain/plan/plan.ts';
import type { PlanRunInput, RunMember } from '../workflows/contracts/plan.ts';
import type { Catalogue } from './catalogue/catalogue.ts';
import { resolveMembers, type ResolvedMembers } from './plan-members.ts';
import { planNamed } from './routes/recovery-plans.ts';

/** @throws DR_PLAN_UNKNOWN, DR_PLAN_NOT_READY with everything that is wrong */
export async function pinPlan(
  catalogue: Catalogue,
  planName: string,
): Promise<Pick<PlanRunInput, 'plan' | 'members' | 'subnetId'>> {
  const { name, version, sha256, plan } = await planNamed(catalogue, planName);
  const members = await readyMembers(catalogue, plan);
  const { subnetId } = plan.drill;
  return {
    plan: { name, version, sha256, plan },
    members,
    ...(subnetId === undefined ? {} : { subnetId }),
  };
}

async function readyMembers(catalogue: Catalogue, plan: RecoveryPlan): Promise<readonly RunMember[]> {
  const resolved = await resolveMembers(catalogue, plan);
  const told = refusalsOf(plan, resolved);
  if (told.length === 0) return resolved.members;
  throw new DrError('DR_PLAN_NOT_READY', { plan: plan.name, problems: told.join('\n') });
}

/** Why a run with these members would be refused; empty: it would not be. */
export function refusalsOf(plan: RecoveryPlan, { members, problems }: ResolvedMembers): string[] {
  return [
    ...problems.map(({ group, selector, reason }) => `group ${group}, ${selector}: ${reason}`),
    ...notYetPossible(plan, members),
  ];
}

/** What the document can say and no run can keep yet: better refused than ignored. */
function notYetPossible({ groups }: RecoveryPlan, members: readonly RunMember[]): string[] {
  const together = groups.filter(
    ({ name, isConsistent }) => isConsistent && members.filter(({ group }) => group === name).length > 1,
  );
  return together.map(
    ({ name }) => `group ${name}: consistent: one point over several machines cannot be made yet`,
  );
}
