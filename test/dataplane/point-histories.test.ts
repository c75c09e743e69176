import { afterAll, beforeAll, test } from '@jest/globals';
import fc from 'fast-check';
import { live, sleepyApply, sleepyPrune, steps } from './support/point-history.ts';
import { seededRandom } from './support/random.ts';
import type { Rig } from './support/rig.ts';
import { startRig } from './support/rig.ts';

const random = seededRandom('point histories');
let rig: Rig;

beforeAll(async () => {
  rig = await startRig(random);
});

afterAll(async () => {
  await rig.stop();
});

test('a point whose deletion sleeps over a pin is whole, or the pin is refused', async () => {
  // Behind the manifest's step from standing to leaving: whether it is pinned is not yet known.
  await live(rig, random, sleepyPrune(7));
});

test('who wakes after its point was made and deleted by others makes it no more', async () => {
  await live(rig, random, sleepyApply(/^putOnce points/));
});

test('whoever dies or freezes, what a manifest names stays, a pinned point stays, and in the end nothing else does', async () => {
  await fc.assert(
    fc.asyncProperty(steps, (history) => live(rig, random, history)),
    { numRuns: 1, seed: random.int(2 ** 31), endOnFailure: true },
  );
});
