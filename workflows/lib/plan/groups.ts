/** Groups as a graph: each begins when those it waits for are done. */
import { condition } from '@temporalio/workflow';
import { directionOfRun } from '../../../domain/plan/member-move.ts';
import { readyGroups, waitsOf } from '../../../domain/plan/order.ts';
import type { PlanGroup } from '../../../domain/plan/plan.ts';
import type { TaskLog } from '../job-log.ts';
import type { PlanContext } from './context.ts';
import { playMembers, untilReady } from './members.ts';
import { playSteps } from './steps.ts';

/** After a failure no further group begins; it is thrown once those that have begun have ended. */
export async function playGroups(context: PlanContext): Promise<void> {
  const { kind, plan } = context.input;
  const { groups } = plan.plan;
  const waits = waitsOf(groups, directionOfRun[kind]);
  const [begun, done] = [new Set<string>(), new Set<string>()];
  const failures: unknown[] = [];
  const running: Promise<void>[] = [];
  const begin = async (group: PlanGroup) => {
    try {
      await playGroup(context, group);
      done.add(group.name);
    } catch (error) {
      failures.push(error);
    }
  };
  while (done.size < groups.length && failures.length === 0) {
    const before = done.size;
    for (const name of readyGroups(waits, begun, done)) {
      begun.add(name);
      running.push(...groups.filter((group) => group.name === name).map(begin));
    }
    await condition(() => done.size > before || failures.length > 0);
  }
  await Promise.all(running);
  if (failures.length > 0) throw failures[0];
}

async function playGroup(context: PlanContext, group: PlanGroup): Promise<void> {
  const { name, steps } = group;
  await untilReady(context, group);
  const count = context.input.members.filter((member) => member.group === name).length;
  const work = async (below: TaskLog) => {
    await playSteps(context, steps.before, name, below);
    await playMembers(context, group, below);
    await playSteps(context, steps.after, name, below);
  };
  const words = () => (count === 1 ? '1 machine' : `${count} machines`);
  await context.log.step(`group-${name}`, `Group ${name}`, work, words);
}
