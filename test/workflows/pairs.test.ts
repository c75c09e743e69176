import { afterAll, describe, expect, it } from '@jest/globals';
import type { OperationId } from '../../domain/ids.ts';
import { jobDecisions } from '../../domain/job.ts';
import {
  decide,
  itemOperations,
  type ItemOperation,
  type ItemSituation,
} from '../../domain/protected-item.ts';
import { protectInput } from './support/world/samples.ts';
import { endingOf } from './support/ending.ts';
import { book } from './support/requests.ts';
import { faults, toEnd } from './support/rest.ts';
import { Rig } from './support/rig.ts';
import { at, isAt, momentsOf, places, play, scenarios, type Scenario } from './support/scenarios.ts';

const counted = { refused: 0, displaced: 0, decisions: 0, events: 0 };
afterAll(() => {
  const total = Object.values(counted).reduce((sum, count) => sum + count, 0);
  process.stderr.write(`pairs of what runs and what arrives: ${total} ${JSON.stringify(counted)}\n`);
});

/** The run in the middle of its work. */
async function halfWay(scenario: Scenario) {
  const moments = await momentsOf(scenario);
  const moment = moments[Math.floor(moments.length / 2)];
  const isIt = moment === undefined ? () => false : isAt(moment);
  return play(scenario, (call) => ({ kind: isIt(call) ? 'hold' : 'run' }));
}

async function situationOf(rig: Rig): Promise<ItemSituation> {
  const { state, drill, paused, running } = await rig.view();
  return {
    state,
    drill: drill.state,
    paused,
    hasRecoveryPoint: true,
    diverged: false,
    ...(running === undefined ? {} : { running: running as NonNullable<ItemSituation['running']> }),
  };
}

type Happens = (rig: Rig, id: OperationId) => Promise<void>;

/** What happens to a run without anybody having asked for it. */
const events: Readonly<Record<string, Happens>> = {
  'a worker that dies is forgotten: the replay asks for the same again': async (rig) => {
    expect(await rig.driver.replay()).toBeGreaterThan(0);
  },
  'a new version of the workers waits for the end of the run': async (rig, id) => {
    const before = rig.driver.runIdOf(rig.entity);
    rig.driver.signal(rig.entity, 'upgrade');
    await rig.driver.settle();
    expect(rig.driver.runIdOf(rig.entity)).toBe(before);
    await toEnd(rig, id);
    if (rig.driver.ending(rig.entity) === undefined) expect(rig.driver.runIdOf(rig.entity)).not.toBe(before);
  },
  'a run that is ended by force leaves an operation that leads on': async (rig, id) => {
    rig.driver.terminate(rig.runOf(id));
  },
  'a run that is cancelled from outside undoes what it has begun, or goes on past its point of no return':
    async (rig, id) => {
      rig.driver.cancel(rig.runOf(id));
    },
  'a second protection of the machine is refused': async (rig) => {
    const operationId = 'again' as OperationId;
    const { itemId } = rig.world;
    const answer = await rig.driver.update(rig.entity, 'protect', protectInput({ itemId, operationId }));
    expect(answer).toMatchObject({ accepted: false, code: 'DR_MACHINE_ALREADY_PROTECTED' });
  },
  'somebody who powers the machine on at home breaks no other rule': async (rig) => {
    rig.world.powerOnBehindOurBack();
    rig.look();
  },
  'replication in trouble does not hold it up': async (rig) => {
    const condition = { type: 'DR_STORAGE_UNREACHABLE', category: 'critical', reason: 'r', suggestion: 's' };
    for (const name of ['shipSession', 'shipReverseSession']) {
      rig.endSession(name, { outcome: 'stopped', condition });
    }
    await rig.driver.advance(60_000);
  },
};

/** Every runbook once; those without an activity are over before anything can arrive. */
const running = scenarios.filter(
  ({ name, book: runbook }, index) =>
    scenarios.findIndex((each) => each.book === runbook) === index ||
    /changeRecoveryPoint|failover from protected|resync from protectedReverse|purge|disable from elsewhere/.test(
      name,
    ),
);

describe.each(running)('while $name runs', (scenario) => {
  it('an operation is refused with the reason of the state table, or displaces what runs', async () => {
    const { rig, id } = await halfWay(scenario);
    if (rig.isOver(id)) return rig.driver.dispose();
    const situation = await situationOf(rig);
    const displacing: ItemOperation[] = [];
    for (const operation of itemOperations) {
      const verdict = decide(situation, operation);
      if (verdict.allowed) {
        displacing.push(operation);
        continue;
      }
      expect({ operation, ...(await book(rig, operation)) }).toMatchObject({
        operation,
        refused: verdict.code,
      });
      counted.refused += 1;
    }
    await toEnd(rig, id);
    expect(await faults(rig)).toEqual([]);
    await rig.driver.dispose();
    for (const operation of displacing) await displace(scenario, operation);
  });

  it('a decision is taken when it is offered, and refused otherwise', async () => {
    for (const decision of jobDecisions) {
      const { rig, id } = await halfWay(scenario);
      if (rig.isOver(id)) return rig.driver.dispose();
      const { choices = [] } = await rig.job(id);
      const isOffered = choices.some((each) => each.decision === decision);
      const refused = await rig.decide(id, decision);
      expect({ decision, refused }).toEqual({
        decision,
        refused: isOffered ? undefined : 'DR_DECISION_REFUSED',
      });
      await rig.driver.settle();
      await toEnd(rig, id);
      expect(await faults(rig)).toEqual([]);
      counted.decisions += 1;
      await rig.driver.dispose();
    }
  });

  it.each(Object.entries(events))('%s', async (_, happens) => {
    const { rig, id } = await halfWay(scenario);
    if (rig.isOver(id)) return rig.driver.dispose();
    await happens(rig, id);
    await rig.driver.settle();
    await toEnd(rig, id);
    expect(await faults(rig)).toEqual([]);
    counted.events += 1;
    await rig.driver.dispose();
  });
});

async function displace(scenario: Scenario, operation: ItemOperation): Promise<void> {
  const { rig, id } = await halfWay(scenario);
  const { id: next, refused } = await book(rig, operation);
  expect(refused).toBeUndefined();
  await rig.driver.settle();
  expect(rig.isOver(id)).toBe(true);
  await toEnd(rig, next);
  expect(await faults(rig)).toEqual([]);
  counted.displaced += 1;
  await rig.driver.dispose();
}

/** Somebody powers the machine on at home, and off again. */
async function runAtHomeForAMoment(rig: Rig): Promise<void> {
  rig.world.powerOnBehindOurBack();
  rig.look();
  await rig.driver.settle();
  rig.world.source.power = 'off';
  rig.look();
}

describe('a machine that somebody powers on at home', () => {
  it.each(places)('is told of at once where it must be off, and not written to: %s', async (place) => {
    const rig = await Rig.at(await at(place));
    const { state } = await rig.view();
    const mustBeOff = ['failedOver', 'changingRecoveryPoint', 'committed', 'protectedReverse'].includes(
      state,
    );
    rig.world.powerOnBehindOurBack();
    rig.look();
    await rig.driver.settle();
    const { conditions, health } = await rig.view();
    expect(conditions.some(({ type }) => type === 'DR_HEALTH_SPLIT_BRAIN')).toBe(mustBeOff);
    if (mustBeOff) expect(health).toBe('critical');
    if (mustBeOff) expect(rig.world.sessions).toMatchObject({ shipReverseSession: 0, landSession: 0 });
    expect(rig.world.violations).toEqual([]);
    expect((await endingOf(rig)).item.state).toBe(state);
    await rig.driver.dispose();
  });

  it('between a reprotect that was lost and the next leaves disks that health calls diverged', async () => {
    const rig = await Rig.at(await at('committed'));
    rig.fate = ({ name }) => ({ kind: name === 'reverseFirstCopy' ? 'hold' : 'run' });
    const { id: lost } = await book(rig, 'reprotect');
    await rig.driver.settle();
    rig.driver.terminate(rig.runOf(lost));
    await rig.driver.settle();
    expect((await rig.view()).state).toBe('reprotecting');
    await runAtHomeForAMoment(rig);
    rig.fate = () => ({ kind: 'run' });
    const { id } = await book(rig, 'reprotect');
    await toEnd(rig, id);
    expect(await rig.view()).toMatchObject({
      state: 'protectedReverse',
      conditions: [{ type: 'DR_HEALTH_DIVERGED', category: 'critical' }],
    });
    expect(await faults(rig)).toEqual([]);
    await rig.driver.dispose();
  });

  it('during the first reprotect leaves disks that health calls diverged until a resync', async () => {
    const rig = await Rig.at(await at('committed'));
    rig.fate = ({ name }) => ({ kind: name === 'openHomeForWriting' ? 'hold' : 'run' });
    const { id } = await book(rig, 'reprotect');
    await rig.driver.settle();
    await runAtHomeForAMoment(rig);
    rig.fate = () => ({ kind: 'run' });
    await toEnd(rig, id);
    expect(await rig.view()).toMatchObject({
      state: 'protectedReverse',
      health: 'critical',
      conditions: [{ type: 'DR_HEALTH_DIVERGED' }],
    });
    expect(await faults(rig)).toEqual([]);

    const { id: resync } = await book(rig, 'resync');
    await toEnd(rig, resync);
    expect(await rig.view()).toMatchObject({ health: 'normal', conditions: [] });
    expect(await faults(rig)).toEqual([]);
    await rig.driver.dispose();
  });
});
