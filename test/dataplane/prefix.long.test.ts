/**
 * Hundreds of histories of one machine: disks of odd sizes, writes that overlap, barriers of both kinds, and attempts
 * whose wire to the storage account breaks at any byte, whose answers get lost, that die, and that come back late.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { tales, tell } from './support/histories.ts';
import type { FaultKind } from './support/wire.ts';
import { seededRandom } from './support/random.ts';
import { startRig } from './support/rig.ts';
import type { Rig } from './support/rig.ts';

const random = seededRandom('prefix, long');
const RUNS = 300;
const RUNS_PER_RIG = 50;
const MINUTES_MAX = 30;
let rig: Rig;

beforeAll(async () => {
  rig = await startRig(random);
});

afterAll(async () => {
  await rig.stop();
});

test(
  'however attempts break, repeat and come back, what is applied is a prefix that ends at a barrier',
  async () => {
    const met = new Set<FaultKind>();
    let barriers = 0;
    let epochs = 0;
    for (let runs = 0; runs < RUNS; runs += RUNS_PER_RIG) {
      await fc.assert(
        fc.asyncProperty(tales(24), async (tale) => {
          const { summary } = await tell(rig, tale);
          barriers += summary.barriers;
          epochs += summary.epochs;
          for (const kind of summary.faults) met.add(kind);
        }),
        { numRuns: RUNS_PER_RIG, seed: random.int(2 ** 31) },
      );
      // The emulator keeps everything it was ever given in memory.
      await rig.stop();
      rig = await startRig(random);
    }
    process.stdout.write(`${RUNS} histories, ${epochs} attempts, ${barriers} barriers\n`);
    expect(met).toEqual(new Set(['cut', 'lost', 'dead', 'held']));
  },
  MINUTES_MAX * 60_000,
);
