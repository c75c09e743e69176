import { expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  decide,
  isProtectionOver,
  itemOperations,
  type ItemOperation,
  type ItemSituation,
  type ItemState,
} from '../../domain/protected-item.ts';
import { seededRandom } from '../support/random.ts';
import { book } from './support/requests.ts';
import { faults, toEnd } from './support/rest.ts';
import { Rig } from './support/rig.ts';
import { at, trouble } from './support/scenarios.ts';
import type { Fate } from './support/sandbox-activities.ts';

const SEQUENCES = 25;
const STEPS_MAX = 12;

/** What meets an operation on its way: at its nth activity. */
type Disturbance =
  | 'none'
  | 'fails'
  | 'loses'
  | 'killed'
  | 'worker dies'
  | 'rolled back'
  | 'held'
  | 'powered on';

interface Action {
  /** Which of the operations that are possible; `wild`: any, possible or not. */
  readonly pick: number;
  readonly wild: boolean;
  /** Protection may be ended. */
  readonly ends: boolean;
  readonly disturbance: Disturbance;
  readonly nth: number;
  /** Which of the decisions that are offered. */
  readonly decisions: readonly number[];
}

const action: fc.Arbitrary<Action> = fc.record({
  pick: fc.nat(1_000),
  wild: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
  ends: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
  disturbance: fc.constantFrom<Disturbance[]>(
    'none',
    'none',
    'none',
    'none',
    'fails',
    'loses',
    'killed',
    'worker dies',
    'rolled back',
    'held',
    'powered on',
  ),
  nth: fc.integer({ min: 1, max: 14 }),
  decisions: fc.array(fc.nat(1_000), { minLength: 8, maxLength: 8 }),
});

const ending: readonly ItemOperation[] = ['disable', 'purge', 'completeMigration'];

/** The item as the state table alone knows it. */
async function situationOf(rig: Rig): Promise<ItemSituation> {
  const { state, drill, paused, allowedOperations } = await rig.view();
  const reasonOf = (operation: ItemOperation) =>
    allowedOperations.find((each) => each.operation === operation)?.reason ?? '';
  return {
    state,
    drill: drill.state,
    paused,
    hasRecoveryPoint: !/recovery point/.test(reasonOf('failover') + reasonOf('failback')),
    diverged: /somebody else/.test(reasonOf('failback')),
  };
}

/** Ends of an operation that the table allows. */
function endsOf(operation: ItemOperation, situation: ItemSituation): readonly ItemState[] {
  const verdict = decide(situation, operation);
  if (!verdict.allowed) return [situation.state];
  const lost = operation === 'failover' ? 'failoverFailed' : verdict.next;
  return [verdict.done, verdict.undone, lost];
}

async function perform(rig: Rig, act: Action, told: string[]): Promise<void> {
  const { allowedOperations } = await rig.view();
  const possible = act.wild
    ? itemOperations
    : allowedOperations
        .filter(({ allowed, operation }) => allowed && (!ending.includes(operation) || act.ends))
        .map(({ operation }) => operation);
  const operation = possible[act.pick % possible.length];
  if (operation === undefined) return;
  const situation = await situationOf(rig);
  const verdict = decide(situation, operation);
  told.push(`${operation} in ${situation.state}, ${act.disturbance} at ${act.nth}`);
  rig.world.guestsWrite();
  let seen = 0;
  rig.fate = (call): Fate => {
    if (call.workflowId === rig.entity) return { kind: 'run' };
    seen += 1;
    if (seen !== act.nth) return { kind: 'run' };
    // Then nobody knows whether the source is off, and a failover goes on.
    if (call.name === 'shutDownSource') rig.world.state.mayRunTwice = true;
    return fateOf(act.disturbance);
  };
  const { id, refused } = await book(rig, operation);
  expect({ operation, isAllowed: refused === undefined }).toEqual({ operation, isAllowed: verdict.allowed });
  await rig.driver.settle();
  if (refused !== undefined) return;
  if (!rig.isOver(id)) await disturb(rig, id, act);
  rig.fate = () => ({ kind: 'run' });
  await rig.driver.settle();
  const decided = await toEnd(rig, id, (choices, turn) => {
    const pick = act.decisions[turn] ?? 0;
    const chosen = choices[pick % choices.length]?.decision ?? 'retry';
    // Nobody holds for ever, nor tries the same for ever.
    return turn > 4 ? (choices.at(-1)?.decision ?? 'retry') : chosen;
  });
  const { state } = await rig.view();
  told.push(`${decided.join(', ')} → ${state}`);
  expect(endsOf(operation, situation)).toContain(state);
}

function fateOf(disturbance: Disturbance): Fate {
  if (disturbance === 'fails') return { kind: 'fail', error: trouble };
  if (disturbance === 'loses') return { kind: 'lost', error: trouble };
  if (disturbance === 'none') return { kind: 'twice' };
  return { kind: 'hold', works: disturbance === 'rolled back' };
}

async function disturb(rig: Rig, id: Parameters<Rig['decide']>[0], { disturbance }: Action): Promise<void> {
  if (disturbance === 'killed') rig.driver.terminate(rig.runOf(id));
  if (disturbance === 'worker dies') await rig.driver.replay();
  if (disturbance === 'rolled back') await rig.decide(id, 'rollBack');
  if (disturbance === 'held') await rig.decide(id, 'hold');
  if (disturbance === 'powered on') {
    rig.world.powerOnBehindOurBack();
    rig.look();
  }
  await rig.driver.settle();
}

/** Whoever powered it on powers it off again where it must be off. */
async function calm(rig: Rig): Promise<void> {
  const { activeLocation } = await rig.view();
  if (rig.world.state.isDisturbed && activeLocation === 'azure') rig.world.source.power = 'off';
  rig.look();
  await rig.driver.settle();
}

it('any sequence of operations and events ends where something leads on and replication runs as wanted', async () => {
  const { seed } = seededRandom('sequences');
  let operations = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(action, { minLength: 4, maxLength: STEPS_MAX }), async (actions) => {
      const rig = await Rig.at(await at('protected'));
      const told: string[] = [];
      try {
        for (const each of actions) {
          if (isProtectionOver((await rig.view()).state)) break;
          await perform(rig, each, told);
          await calm(rig);
          expect(await faults(rig)).toEqual([]);
          operations += 1;
        }
      } catch (error) {
        throw new Error(told.join('\n'), { cause: error });
      } finally {
        await rig.driver.dispose();
      }
    }),
    { seed, numRuns: SEQUENCES, endOnFailure: true },
  );
  process.stderr.write(`sequences: ${operations} operations in ${SEQUENCES} sequences\n`);
}, 120_000);
