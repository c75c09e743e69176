import { beforeAll, describe, expect, it } from '@jest/globals';
import type { OperationId } from '../../domain/ids.ts';
import { leadsOn } from '../../domain/protected-item.ts';
import { runbooks } from '../../workflows/runbooks.ts';
import { endingOf, without, type EndingOfRun } from './support/ending.ts';
import { Rig } from './support/rig.ts';
import {
  at,
  isAt,
  lastOfSteps,
  momentsOf,
  play,
  scenarios,
  trouble,
  type Moment,
  type Scenario,
} from './support/scenarios.ts';

const RUN = { kind: 'run' } as const;
const TWICE = { kind: 'twice' } as const;

/** Where the item is without the operation, after guests have written. */
async function before(scenario: Scenario): Promise<EndingOfRun> {
  const rig = await Rig.at(await at(scenario.from));
  rig.world.guestsWrite();
  return ended(rig);
}

async function undisturbed(scenario: Scenario): Promise<EndingOfRun> {
  const { rig } = await play(scenario);
  return ended(rig);
}

async function ended(rig: Rig): Promise<EndingOfRun> {
  const ending = await endingOf(rig);
  expect(rig.world.violations).toEqual([]);
  expect(leadsOn(ending.item.state)).toBe(true);
  await rig.driver.dispose();
  return ending;
}

describe('scenarios', () => {
  it('play every runbook, and every step of each', async () => {
    const played = new Set<string>();
    for (const scenario of scenarios) {
      const { rig, id } = await play(scenario);
      const job = await rig.job(id);
      expect(job).toMatchObject({ state: 'succeeded' });
      for (const { id: step } of job.tasks) played.add(`${scenario.book}/${step}`);
      await ended(rig);
    }
    const steps = Object.entries(runbooks).flatMap(([book, { steps }]) =>
      steps.map(({ id }) => `${book}/${id}`),
    );
    expect(steps.filter((step) => !played.has(step))).toEqual([]);
  });
});

/** Plays the scenario; its activity at the moment fails, without having done its work or after it. */
function failAt(scenario: Scenario, moment: Moment, how: 'fail' | 'lost') {
  const isIt = isAt(moment);
  return play(scenario, (call, { world }) => {
    if (!isIt(call)) return RUN;
    // Nobody knows then whether the source is off: the failover goes on, and says so.
    if (call.name === 'shutDownSource') world.state.mayRunTwice = true;
    return { kind: how, error: trouble };
  });
}

/** Says at which moment an expectation failed. */
async function named(moment: Moment, expectations: () => Promise<unknown>): Promise<void> {
  try {
    await expectations();
  } catch (error) {
    throw new Error(`at ${moment.step}, ${moment.activity} ${moment.nth}`, { cause: error });
  }
}

/** Ends the run in the direction back if that is offered, else ahead. */
async function unwind(rig: Rig, id: OperationId): Promise<'unwound' | 'ended' | 'led on' | 'given up'> {
  if (rig.isOver(id)) return (await rig.job(id)).state === 'succeeded' ? 'ended' : 'unwound';
  const { choices = [] } = await rig.job(id);
  const goesBack = choices.some(({ decision }) => decision === 'rollBack');
  await rig.decide(id, goesBack ? 'rollBack' : 'retry');
  await rig.driver.settle();
  if (rig.isOver(id)) return goesBack ? 'unwound' : 'led on';
  // What an earlier run has removed cannot be brought back: the item stays where it was.
  expect(goesBack).toBe(true);
  await rig.decide(id, 'abandon');
  await rig.driver.settle();
  expect(rig.isOver(id)).toBe(true);
  return 'given up';
}

describe.each(scenarios)('$name', (scenario) => {
  let first: EndingOfRun;
  let last: EndingOfRun;
  let moments: readonly Moment[];
  beforeAll(async () => {
    first = await before(scenario);
    last = await undisturbed(scenario);
    moments = await momentsOf(scenario);
  });

  const asBefore = (ending: EndingOfRun) => {
    expect(without(ending, scenario.leaves)).toEqual(without(first, scenario.leaves));
  };

  it('ends the same when every activity is done twice', async () => {
    const { rig } = await play(scenario, () => TWICE);
    expect(await ended(rig)).toEqual(last);
  });

  const chosen = () => (scenario.isVariant ? lastOfSteps(moments) : moments);

  it.each([
    ['', chosen, 'lost', RUN],
    [' and every undo is done twice', () => lastOfSteps(moments), 'fail', TWICE],
  ] as const)('is unwound when a step fails%s', async (_, which, how, undo) => {
    for (const moment of which()) {
      const { rig, id } = await failAt(scenario, moment, how);
      rig.fate = () => undo;
      await named(moment, async () => {
        const end = await unwind(rig, id);
        const ending = await ended(rig);
        if (end === 'unwound') asBefore(ending);
        if (end === 'led on') expect(ending).toEqual(last);
      });
    }
  });

  it('goes on to the same end when a failed step is tried again', async () => {
    for (const moment of lastOfSteps(moments)) {
      const { rig, id } = await failAt(scenario, moment, 'lost');
      if (!rig.isOver(id)) {
        expect(await rig.decide(id, 'retry')).toBeUndefined();
        await rig.driver.settle();
        expect((await rig.job(id)).state).toBe('succeeded');
        await named(moment, async () => expect(await ended(rig)).toEqual(last));
      } else {
        await named(moment, () => ended(rig));
      }
    }
  });
});
