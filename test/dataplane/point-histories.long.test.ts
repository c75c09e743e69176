import { afterAll, beforeAll, test } from '@jest/globals';
import fc from 'fast-check';
import { live, sleepyApply, sleepyPrune, steps } from './support/point-history.ts';
import { seededRandom } from './support/random.ts';
import type { Rig } from './support/rig.ts';
import { startRig } from './support/rig.ts';

const random = seededRandom('long point histories');
let rig: Rig;

beforeAll(async () => {
  rig = await startRig(random);
});

afterAll(async () => {
  await rig.stop();
});

test('deletion and pin may sleep at any request of theirs', async () => {
  for (let at = 1; at <= 10; at += 1) {
    await live(rig, random, sleepyPrune(at, 1 + random.int(4)));
  }
}, 1_800_000);

test('whoever makes a point may sleep at any request', async () => {
  for (let at = 1; at <= 32; at += 1) await live(rig, random, sleepyApply(at));
}, 1_800_000);

test('of many histories none loses what a manifest names, nor a pinned point, nor leaves anything else', async () => {
  await fc.assert(
    fc.asyncProperty(steps, (history) => live(rig, random, history)),
    { numRuns: 40, seed: random.int(2 ** 31), endOnFailure: true },
  );
}, 1_800_000);
