import type { PlanGroup, PlanRunKind, PlanStep, RecoveryPlan, StepsAround } from './plan.ts';

/** Steps that the plan gives this machine itself. */
export function memberSteps(
  group: PlanGroup,
  { machineName, itemId }: { readonly machineName: string; readonly itemId: string },
): StepsAround {
  for (const selector of group.members) {
    if (selector.by !== 'machine') continue;
    if (selector.machine === machineName || selector.machine === itemId) return selector.steps;
  }
  return { before: [], after: [] };
}

/** Every step that takes part in a run of this kind: around the run, its groups and the machines that are in it. */
export function stepsOfRun({
  kind,
  plan,
  members,
}: {
  readonly kind: PlanRunKind;
  readonly plan: RecoveryPlan;
  readonly members: readonly {
    readonly machineName: string;
    readonly itemId: string;
    readonly group: string;
  }[];
}): PlanStep[] {
  const ofGroup = Map.groupBy(members, ({ group }) => group);
  const around = plan.groups.flatMap((group) => [
    group.steps,
    ...(ofGroup.get(group.name) ?? []).map((member) => memberSteps(group, member)),
  ]);
  return [plan.steps, ...around]
    .flatMap(({ before, after }) => [...before, ...after])
    .filter(({ when }) => when.includes(kind));
}
