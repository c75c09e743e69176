/** Every process of the product and Temporal are killed in every phase; the work finishes, once, with the right bytes. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { FailoverResult } from '../../workflows/contracts/types.ts';
import { productRoles } from '../../lab/processes/product.ts';
import { smallMachine, startPractice, type Practice } from '../support/harness.ts';
import { seededRandom, type Random } from '../support/random.ts';
import { Flow } from './support/flow.ts';

type Victim = (typeof productRoles)[number] | 'temporal';
const victims: readonly Victim[] = [...productRoles, 'temporal'];
const PHASE_MS = 240_000;

let practice: Practice;
let flow: Flow;
let random: Random;

beforeAll(async () => {
  random = seededRandom('crash tests');
  practice = await startPractice({ seed: random.seed });
  flow = new Flow(practice, smallMachine(random.seed).name);
  await flow.addVCenter();
  await flow.must('policy', 'create', 'quick', '--interval', '2s', '--retention', '1h');
  // Slow enough that a kill lands inside a phase.
  await practice.lab.guest.client.post('/_lab/delays', { nbdReadBytesPerSecond: 12 << 20 });
  await practice.lab.azure.client.post('/_lab/settings', {
    importMs: 1_500,
    vmStartMs: 1_500,
    deleteMs: 500,
  });
}, 400_000);
afterAll(() => practice?.stop(), 60_000);

const kill = (victim: Victim) =>
  victim === 'temporal' ? practice.killTemporal() : practice.killRole(victim);

/** Kills all in a seeded order, each when a seeded task of the job has begun. */
async function killDuring(job: string, tasks: readonly string[]): Promise<void> {
  const moments = victims.map(() => random.below(tasks.length)).sort((a, b) => a - b);
  for (const [index, victim] of random.shuffled(victims).entries()) {
    await flow.taskIs(job, tasks[moments[index] ?? 0] ?? '', ['inProgress', 'succeeded']);
    await kill(victim);
  }
}

describe('kill -9 of every process', () => {
  it(
    'in initial replication: the machine ends up protected, with one chain',
    async () => {
      const job = await flow.protect('quick');
      await killDuring(job, ['check', 'initial-replication', 'initial-replication', 'first-point']);
      await flow.succeeds(job);
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
      for (const victim of random.shuffled(victims)) {
        await flow.newPoint();
        await kill(victim);
      }
      await flow.newPoint();
      await flow.newPoint();
      const item = await flow.itemIs('health to be normal', (each) => each.health === 'normal');
      expect(item.state).toBe('protected');
    },
    PHASE_MS,
  );

  it(
    'in a drill: one machine runs on the right bytes, and cleanup leaves nothing',
    async () => {
      const { isolatedSubnetId } = practice.lab.addresses;
      const drill = await flow.start('item', 'test-failover', flow.machine, '--subnet', isolatedSubnetId);
      await killDuring(drill, ['point', 'disk-0', 'disk-1', 'nic', 'vm']);
      const result = (await flow.succeeds(drill)).result as unknown as FailoverResult;
      await flow.expectOneOfEach(result);
      await flow.expectEqual(result);
      await flow.newPoint();
      await flow.itemIs('the slot to be free', (each) => each.running === undefined);
      await flow.succeeds(await flow.start('item', 'cleanup', flow.machine, '--notes', 'killed and well'));
      expect(await practice.resourcesOfRuns()).toEqual([]);
    },
    PHASE_MS,
  );

  it(
    'in a failover: the source is off, one machine runs on its last bytes, nothing is left over',
    async () => {
      await flow.itemIs('the slot to be free', (each) => each.running === undefined);
      const failover = await flow.start('item', 'failover', flow.machine, '--yes');
      await killDuring(failover, [
        'stop-replication',
        'shut-down-source',
        'final-delta',
        'point',
        'disk-0',
        'nic',
        'vm',
      ]);
      const result = (await flow.succeeds(failover)).result as unknown as FailoverResult;
      expect((await practice.lab.guest.machine(flow.machine)).powerState).toBe('poweredOff');
      await flow.expectOneOfEach(result);
      await flow.expectEqual(result);
      // The last point holds what the source holds now that it is off: nothing was lost.
      for (const disk of (await flow.item()).spec?.disks ?? []) {
        const at = { machine: flow.machine, deviceKey: disk.deviceKey };
        const live = await practice.lab.guest.hash(at);
        const last = await practice.lab.guest.hash({ ...at, snapshot: result.point.snapshotName });
        expect(last.sha256).toBe(live.sha256);
      }
      await flow.itemIs('the slot to be free', (each) => each.running === undefined);
      await flow.succeeds(await flow.start('item', 'commit', flow.machine));
      expect(await practice.snapshotsOf(flow.machine)).toEqual([]);
      expect(await flow.points()).toHaveLength(1);
      await flow.expectOneOfEach(result);
    },
    PHASE_MS,
  );
});
