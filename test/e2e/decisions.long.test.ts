/** What an operator decides half way, and what somebody does behind the product's back, on a lab. */
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { smallMachine, startPractice, type Practice } from '../support/harness.ts';
import { seededRandom } from '../support/random.ts';
import { play, type acts } from './support/acts.ts';
import { Auditor } from './support/auditor.ts';
import { protectedMachine } from './support/protected-machine.ts';
import type { MoveName, Trip } from './support/moves.ts';

const EACH_MS = 400_000;

let practice: Practice;
let trip: Trip;
let auditor: Auditor;

beforeAll(async () => {
  const random = seededRandom('decisions');
  practice = await startPractice({ seed: random.seed });
  trip = await protectedMachine(practice, smallMachine(random.seed).name, random);
  auditor = await Auditor.of(trip.flow);
}, EACH_MS);
afterAll(() => practice?.stop(), 60_000);

/** Each begins where the one before has ended. */
it.each<keyof typeof acts | MoveName>([
  'a failover does not wait for a drill',
  'a failover that is rolled back ships what changed, not everything',
  'a failover that was held goes on to its end',
  'change-point',
  'commit',
  'reprotect',
  'a failback is rolled back at its last step',
  'a machine powered on behind our back stops the way home until it is compared',
  'failback',
  'cancel-failback',
  'failback',
  'commit-failback',
])(
  '%s',
  async (name) => {
    await play(trip, auditor, name);
    expect(await auditor.look()).toEqual([]);
  },
  EACH_MS,
);
