/** The simulation follows the rules of the workflow: with the same durations both end at the same moment. */
import { expect, test } from '@jest/globals';
import { planRunKinds, type PlanRunKind, type PlanStep, type StepsAround } from '../../domain/plan/plan.ts';
import { playRun } from '../../domain/plan/simulated-run.ts';
import { seededRandom, type Random } from '../support/random.ts';
import { playInVirtualTime } from './support/plan-clock.ts';
import { group, members, plan, PlanStage, step } from './support/plan-stage.ts';

const PLANS = 25;
const MS_MAX = 200_000;

test('a simulated run ends at the very moment at which the workflow ends', async () => {
  const random = seededRandom('simulated plans');
  for (let number = 0; number < PLANS; number += 1) {
    const drawn = drawnPlan(random);
    const stage = new PlanStage();
    const ms = durationsOf(random);
    const playedMs = await playInVirtualTime(stage, { ...drawn, ms });
    const job = await stage.job();
    await stage.driver.dispose();
    const { seconds } = playRun(drawn, {
      step: ({ name, does }) => (does.kind === 'wait' ? does.seconds : ms(`step ${name}`) / 1_000),
      machine: ({ machineName }, phase) =>
        ms(`${phase === 'prepare' ? 'ready' : drawn.kind} ${machineName}`) / 1_000,
    });
    const told = { number, kind: drawn.kind, groups: drawn.plan.groups.length };
    expect({ ...told, state: job.state, ms: playedMs }).toEqual({
      ...told,
      state: 'succeeded',
      ms: Math.round(seconds * 1_000),
    });
  }
});

/** The same for the same name. */
function durationsOf(random: Random): (what: string) => number {
  const known = new Map<string, number>();
  return (what) => {
    const ms = known.get(what) ?? 1 + random.below(MS_MAX);
    known.set(what, ms);
    return ms;
  };
}

function drawnPlan(random: Random) {
  const kind = planRunKinds[random.below(planRunKinds.length)] ?? 'test';
  let steps = 0;
  const drawnStep = (): PlanStep => {
    steps += 1;
    const name = `s${steps}`;
    const when: readonly PlanRunKind[] =
      random.below(4) === 0 ? planRunKinds.filter((each) => each !== kind) : planRunKinds;
    const does = [
      step(name).does,
      { kind: 'wait', seconds: 1 + random.below(100) } as const,
      { kind: 'manual', text: 'May it?', approvers: [], onSilence: 'wait' } as const,
    ][random.below(3)];
    return step(name, { when, isCritical: random.below(2) === 0, ...(does && { does }) });
  };
  const drawnSteps = (): StepsAround => ({
    before: Array.from({ length: random.below(2) }, drawnStep),
    after: Array.from({ length: random.below(2) }, drawnStep),
  });
  const names = Array.from({ length: 1 + random.below(5) }, (_, index) => `g${index}`);
  const who = names.flatMap((name) =>
    Array.from({ length: random.below(4) }, (_, index) => `${name}-m${index}@${name}`),
  );
  const groups = names.map((name, index) =>
    group(name, {
      after: names.slice(0, index).filter(() => random.below(3) === 0),
      steps: drawnSteps(),
      members: who
        .filter((each) => each.endsWith(`@${name}`))
        .map((each) => ({ by: 'machine', machine: each.split('@')[0] ?? '', steps: drawnSteps() })),
    }),
  );
  const limits = random.below(2) === 0 ? {} : { machinesAtOnce: 1 + random.below(2) };
  return { kind, plan: plan(groups, { steps: drawnSteps(), limits }), members: members(...who) };
}
