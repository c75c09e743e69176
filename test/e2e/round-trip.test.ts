/** A whole round trip, with every process of the product and Temporal killed once at a seeded step on the way. */
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { smallMachine, startPractice, type Practice } from '../support/harness.ts';
import { seededRandom, type Random } from '../support/random.ts';
import { Auditor } from './support/auditor.ts';
import { make, type MoveName, type Trip } from './support/moves.ts';
import { protectedMachine } from './support/protected-machine.ts';
import { slowDown } from './support/slow-down.ts';
import { stepsOf } from './support/steps.ts';
import { strike, victims } from './support/strike.ts';

const TRIP_MS = 900_000;
const ROUND: readonly MoveName[] = [
  'failover',
  'commit',
  'reprotect',
  'failback',
  'commit-failback',
  're-enable',
];

let practice: Practice;
let random: Random;
let trip: Trip;
let auditor: Auditor;

beforeAll(async () => {
  random = seededRandom('round trip');
  practice = await startPractice({ seed: random.seed });
  trip = await protectedMachine(practice, smallMachine(random.seed).name, random);
  auditor = await Auditor.of(trip.flow);
  await slowDown(practice);
}, TRIP_MS);
afterAll(() => practice?.stop(), 60_000);

it(
  'there and home again: at each crossing every disk is equal, nothing is left, and no two of anything ever lived',
  async () => {
    const killed = random.shuffled(victims);
    for (const [index, move] of ROUND.entries()) {
      const steps = stepsOf(move);
      const step = steps[random.below(steps.length)] ?? '';
      const victim = killed[index] ?? 'temporal';
      process.stderr.write(`${move}: kill -9 of ${victim} at ${step}\n`);
      await make(trip, move, async (id) => {
        await strike(trip.flow, id, { step, victims: [victim] });
      });
      expect(await auditor.look()).toEqual([]);
    }
    expect(await practice.resourcesOfRuns()).toEqual([]);
  },
  TRIP_MS,
);
