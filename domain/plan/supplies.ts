/** What is scarce while the machines of a plan move, and what one of them needs of it. */
import type { PlanRunKind, RecoveryPlan } from './plan.ts';
import type { Needs, Supply } from './scheduler.ts';

/** Machines that a run moves at the same time where nothing else bounds it. */
export const MACHINES_AT_ONCE = 100;

/** What Azure and the plan leave a machine of a run. */
export interface MemberDemand {
  readonly group: string;
  /** Cores of its size in Azure; absent: not known, so not counted. */
  readonly cores?: number;
}

/** `prepare`: up to the moment before the machine starts. */
export type DemandPhase = 'whole' | 'prepare' | 'start' | 'leave';

const turns = 'turns among the machines of the run';
const planCores = 'cores of the plan';

/** Before any machine has begun. */
export function suppliesOf({ groups, limits }: Pick<RecoveryPlan, 'groups' | 'limits'>): Supply[] {
  const { machinesAtOnce, cores } = limits;
  return [
    { id: turns, name: turns, free: MACHINES_AT_ONCE, keptBy: 'move' },
    ...(machinesAtOnce === undefined
      ? []
      : groups.map(({ name }) => ({
          id: turnsIn(name),
          name: `turn among the machines of group ${name}`,
          free: machinesAtOnce,
          keptBy: 'move' as const,
        }))),
    ...(cores === undefined ? [] : [{ id: planCores, name: planCores, free: cores, keptBy: 'run' as const }]),
  ];
}

/** Only a machine that starts takes a place in its group and cores. */
export function needsFor(kind: PlanRunKind, { group, cores }: MemberDemand, phase: DemandPhase): Needs {
  if (phase === 'leave') return {};
  if (phase === 'prepare') return { [turns]: 1 };
  const startsInAzure = kind === 'test' || kind === 'failover';
  return {
    [turns]: 1,
    [turnsIn(group)]: 1,
    ...(startsInAzure && cores !== undefined ? { [planCores]: cores } : {}),
  };
}

function turnsIn(group: string): string {
  return `group ${group}`;
}
