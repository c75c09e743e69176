/** What the run of a plan asks of its machines; on the configuration server, which reaches every protected item. */
import type { MemberEnd, PlanActivities } from '../../workflows/contracts/plan.ts';
import { supervised } from '../supervise.ts';
import type { AllNews } from './news.ts';
import { operateMembers } from './operate-members.ts';
import { watchOutcomes } from './outcomes.ts';
import { Waits } from './waits.ts';
import type { MemberRunbooks } from './watch-run.ts';

export interface PlanActivityPorts {
  /** What is told in this process. */
  readonly news: AllNews;
  readonly runbooks: MemberRunbooks;
  /** @throws DR_PLAN_UNKNOWN, DR_PLAN_NOT_READY */
  pinPlan(name: string): ReturnType<PlanActivities['pinPlan']>;
}

export function createPlanActivities(ports: PlanActivityPorts): PlanActivities {
  const { runbooks, news } = ports;
  const calls = {
    runbooks,
    news,
    outcomes: watchOutcomes((...run) => runbooks.runOutcome(...run)),
    waits: new Waits<MemberEnd>(),
  };
  return {
    pinPlan: ({ name }) => ports.pinPlan(name),

    operateMembers: (input) =>
      supervised<{ readonly waitsFor: Readonly<Record<string, string>> }, readonly MemberEnd[]>(
        ({ signal, attempt, report }) =>
          operateMembers(calls, input, { signal, attempt, report: (waitsFor) => report({ waitsFor }) }),
      ),
  };
}
