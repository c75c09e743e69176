/** Brings whatever runs to its end, and says what must hold of an item at rest. */
import type { OperationId } from '../../../domain/ids.ts';
import type { JobChoice, JobDecision } from '../../../domain/job.ts';
import { leadsOn } from '../../../domain/protected-item.ts';
import type { Rig } from './rig.ts';

/** Decisions that a run may be given before something must be wrong. */
const DECISIONS_MAX = 8;

/** Lets held activities go on and decides until the run is over; answers what was decided. */
export async function toEnd(
  rig: Rig,
  id: OperationId,
  choose: (choices: readonly JobChoice[], turn: number) => JobDecision = firstOffered,
): Promise<JobDecision[]> {
  const decided: JobDecision[] = [];
  for (let turn = 0; ; turn += 1) {
    for (const call of rig.driver.pending()) {
      if (call.workflowId === rig.runOf(id)) rig.driver.resolve(call);
    }
    await rig.driver.settle();
    if (rig.isOver(id)) return decided;
    if (turn === DECISIONS_MAX) throw new Error(`${id} does not end after ${decided.join(', ')}`);
    const { choices = [] } = await rig.job(id);
    const decision = choose(choices, turn);
    decided.push(decision);
    await rig.decide(id, decision);
    await rig.driver.settle();
  }
}

/** An operator who goes back where that is possible, tries again once and then gives up. */
function firstOffered(choices: readonly JobChoice[], turn: number): JobDecision {
  const offered = choices.map(({ decision }) => decision);
  const wanted: readonly JobDecision[] =
    turn < 2 ? ['rollBack', 'retry', 'finish'] : ['abandon', 'skip', 'retry', 'finish'];
  return wanted.find((each) => offered.includes(each)) ?? 'retry';
}

/** What is wrong with an item at rest; empty: nothing. */
export async function faults(rig: Rig): Promise<string[]> {
  const view = await rig.view();
  const { state, paused, conditions, running } = view;
  const { sessions, violations, source } = rig.world;
  const isOff = !conditions.some(({ type }) => /SPLIT_BRAIN|DIVERGED/.test(type)) && source !== undefined;
  const forward = state === 'protected' && !paused ? 1 : 0;
  const reverse = state === 'protectedReverse' && !paused && isOff ? 1 : 0;
  const expected = {
    shipSession: forward,
    applySession: forward,
    shipReverseSession: reverse,
    landSession: reverse,
  };
  const isOver = rig.driver.ending(rig.entity) !== undefined;
  return [
    ...violations,
    ...(leadsOn(state) ? [] : [`nothing leads on from ${state}`]),
    ...(running === undefined ? [] : [`${running.operation} still runs`]),
    ...Object.entries(expected)
      .filter(([name, count]) => !isOver && sessions[name as keyof typeof sessions] !== count)
      .map(
        ([name, count]) => `in ${state} ${sessions[name as keyof typeof sessions]} of ${name}, not ${count}`,
      ),
  ];
}
