/** A sample of `prefix.long.test.ts`. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { tales, tell } from './support/histories.ts';
import { seededRandom } from './support/random.ts';
import { startRig } from './support/rig.ts';
import type { Rig } from './support/rig.ts';

const random = seededRandom('prefix');
const RUNS = 3;
let rig: Rig;

beforeAll(async () => {
  rig = await startRig(random);
});

afterAll(async () => {
  await rig.stop();
});

test('however attempts break, repeat and come back, what is applied is a prefix that ends at a barrier', async () => {
  let barriers = 0;
  await fc.assert(
    fc.asyncProperty(tales(10), async (tale) => {
      const { summary } = await tell(rig, tale);
      barriers += summary.barriers;
    }),
    { numRuns: RUNS, seed: random.int(2 ** 31), endOnFailure: true },
  );
  expect(barriers).toBeGreaterThanOrEqual(RUNS);
});
