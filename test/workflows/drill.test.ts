import { expect, it } from '@jest/globals';
import fc from 'fast-check';
import { seededRandom } from '../support/random.ts';
import { book } from './support/requests.ts';
import { toEnd } from './support/rest.ts';
import { Rig } from './support/rig.ts';
import { at, trouble } from './support/scenarios.ts';
import type { Fate } from './support/sandbox-activities.ts';

const DRILLS = 40;

/** All that a drill and its cleanup may ask for. None changes the source, the replica, a session or the fence. */
const harmless: ReadonlySet<string> = new Set([
  'preflightFailover',
  'resolvePoint',
  'prepareRunGroup',
  'beginStageDisk',
  'awaitStageDisk',
  'releasePoint',
  'beginDiskImport',
  'awaitDisk',
  'beginNic',
  'awaitNic',
  'beginVm',
  'awaitVmRunning',
  'listRun',
  'beginDeleteRunGroup',
  'awaitDeleted',
  'deleteStaged',
  'proveRunEmpty',
]);

const disturbances = ['run', 'twice', 'fail', 'lost', 'rollBack', 'hold', 'kill', 'worker dies'] as const;

const drill = fc.record({
  disturbance: fc.constantFrom(...disturbances),
  nth: fc.integer({ min: 1, max: 24 }),
});

/** What is live of the item. */
function live({ world }: Rig) {
  const { machines, fence, forward } = world.state;
  const { pins: _, ...stream } = forward;
  return structuredClone({ machines, fence, stream, sessions: world.sessions });
}

it('a drill never touches the live item, however it goes', async () => {
  const { seed } = seededRandom('drills');
  const checkpoint = await at('protected');
  await fc.assert(
    fc.asyncProperty(drill, async ({ disturbance, nth }) => {
      const rig = await Rig.at(checkpoint);
      const before = live(rig);
      const sessionsBefore = rig.driver.pending().map(({ activity }) => activity);
      let seen = 0;
      rig.calls.length = 0;
      rig.fate = (call): Fate => {
        if (call.workflowId === rig.entity) return { kind: 'run' };
        seen += 1;
        if (seen !== nth || disturbance === 'run') return { kind: 'run' };
        if (disturbance === 'twice') return { kind: 'twice' };
        if (disturbance === 'fail' || disturbance === 'lost') return { kind: disturbance, error: trouble };
        return { kind: 'hold', works: true };
      };
      for (const operation of ['testFailover', 'cleanupTestFailover'] as const) {
        const { id, refused } = await book(rig, operation);
        if (refused !== undefined) continue;
        await rig.driver.settle();
        if (!rig.isOver(id)) {
          if (disturbance === 'kill') rig.driver.terminate(rig.runOf(id));
          if (disturbance === 'worker dies') await rig.driver.replay();
          if (disturbance === 'rollBack' || disturbance === 'hold') await rig.decide(id, disturbance);
        }
        await rig.driver.settle();
        await toEnd(rig, id);
      }
      const ofDrill = rig.calls.filter(({ workflowId }) => workflowId !== rig.entity);
      expect(ofDrill.map(({ name }) => name).filter((name) => !harmless.has(name))).toEqual([]);
      expect(live(rig)).toEqual(before);
      expect(rig.driver.pending().map(({ activity }) => activity)).toEqual(sessionsBefore);
      expect(rig.world.violations).toEqual([]);
      await rig.driver.dispose();
    }),
    { seed, numRuns: DRILLS, endOnFailure: true },
  );
}, 60_000);
