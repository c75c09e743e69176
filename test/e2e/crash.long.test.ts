/** Processes of the product and Temporal are killed, two seeded ones at a time of its life, while a machine is being protected, replicates and is drilled; the work finishes, once, with the right bytes. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { smallMachine, startPractice, type Practice } from '../support/harness.ts';
import { seededRandom, type Random } from '../support/random.ts';
import { Auditor } from './support/auditor.ts';
import { Flow } from './support/flow.ts';
import { make, type Trip } from './support/moves.ts';
import { slowDown } from './support/slow-down.ts';
import { stepsOf } from './support/steps.ts';
import { kill, strike, TEMPORARY, victims as everybody } from './support/strike.ts';

/** Those who do something before the way home. */
const candidates = everybody.filter((victim) => victim !== TEMPORARY && victim !== 'master-target');
const KILLS = 2;
const PHASE_MS = 400_000;

let practice: Practice;
let flow: Flow;
let random: Random;
let trip: Trip;
let auditor: Auditor;

beforeAll(async () => {
  random = seededRandom('crash tests');
  practice = await startPractice({ seed: random.seed });
  flow = new Flow(practice, smallMachine(random.seed).name);
  trip = { flow, random, machineInAzure: undefined };
  auditor = await Auditor.of(flow);
  await flow.addVCenter();
  await flow.must('policy', 'create', 'quick', '--interval', '2s', '--retention', '1h');
  await slowDown(practice);
}, PHASE_MS);
afterAll(() => practice?.stop(), 60_000);

function chosen() {
  const victims = random.shuffled(candidates).slice(0, KILLS);
  process.stderr.write(`kill -9 of ${victims.join(', ')}\n`);
  return victims;
}

describe('kill -9', () => {
  it(
    'in initial replication: the machine ends up protected, with one chain',
    async () => {
      const { id, accepted } = flow.begin(...flow.protectArgs('quick'));
      for (const victim of chosen()) {
        await strike(flow, id, { step: 'initial-replication', victims: [victim] });
      }
      await accepted;
      await flow.succeeds(id);
      const item = await flow.itemIs('the item to be protected', (each) => each.state === 'protected');
      expect(item.spec?.disks).toHaveLength(2);
    },
    PHASE_MS,
  );

  it(
    'in delta cycles: recovery points keep coming while the guest writes',
    async () => {
      await practice.lab.guest.startWorkload({
        machine: flow.machine,
        seed: random.seed,
        bytesPerSecond: 1 << 20,
      });
      for (const victim of chosen()) {
        await kill(practice, victim);
        await flow.newPoint();
      }
      await flow.newPoint();
      const item = await flow.itemIs('health to be normal', (each) => each.health === 'normal');
      expect(item.state).toBe('protected');
    },
    PHASE_MS,
  );

  it(
    'in a drill: one machine runs on the right bytes, replication goes on, and cleanup leaves nothing',
    async () => {
      const steps = stepsOf('drill');
      const killed = chosen();
      const moments = killed.map(() => random.below(steps.length)).sort((a, b) => a - b);
      await make(trip, 'drill', async (id) => {
        for (const [index, victim] of killed.entries()) {
          await strike(flow, id, { step: steps[moments[index] ?? 0] ?? '', victims: [victim] });
        }
      });
      await flow.newPoint();
      await make(trip, 'cleanup');
      expect(await auditor.look()).toEqual([]);
    },
    PHASE_MS,
  );
});
