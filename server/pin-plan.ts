/** A plan and its machines as a run that begins now pins them. */
import { DrError } from '../domain/errors.ts';
import type { RecoveryPlan } from '../domain/plan/plan.ts';
import type { PlanRunInput, RunMember } from '../workflows/contracts/plan.ts';
import type { Catalogue } from './catalogue/catalogue.ts';
import { resolveMembers } from './plan-members.ts';
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
  const { members, problems } = await resolveMembers(catalogue, plan);
  const told = [
    ...problems.map(({ group, selector, reason }) => `group ${group}, ${selector}: ${reason}`),
    ...notYetPossible(plan, members),
  ];
  if (told.length === 0) return members;
  throw new DrError('DR_PLAN_NOT_READY', { plan: plan.name, problems: told.join('\n') });
}

/** What the document can say and no run can keep yet: better refused than ignored. */
function notYetPossible({ groups, limits }: RecoveryPlan, members: readonly RunMember[]): string[] {
  const together = groups.filter(
    ({ name, isConsistent }) => isConsistent && members.filter(({ group }) => group === name).length > 1,
  );
  return [
    ...together.map(
      ({ name }) => `group ${name}: consistent: one point over several machines cannot be made yet`,
    ),
    ...(limits.cores === undefined ? [] : ['limits.cores: cores cannot be counted yet']),
  ];
}
