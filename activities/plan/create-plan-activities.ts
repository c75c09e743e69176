/** What the run of a plan asks of its machines; on the configuration server, which reaches every protected item. */
import type { PlanActivities } from '../../workflows/contracts/plan.ts';
import { supervised } from '../supervise.ts';
import { operateMember, type MemberRunbooks } from './operate-member.ts';

export interface PlanActivityPorts {
  readonly runbooks: MemberRunbooks;
  /** @throws DR_PLAN_UNKNOWN, DR_PLAN_NOT_READY */
  pinPlan(name: string): ReturnType<PlanActivities['pinPlan']>;
}

export function createPlanActivities(ports: PlanActivityPorts): PlanActivities {
  return {
    pinPlan: ({ name }) => ports.pinPlan(name),

    operateMember: (input) =>
      supervised<{ readonly waitsFor: string }, Awaited<ReturnType<typeof operateMember>>>(
        ({ signal, report }) =>
          operateMember(ports.runbooks, input, { signal, report: (waitsFor) => report({ waitsFor }) }),
      ),
  };
}
