/** What operators decide half way, and a machine that somebody powers on behind the product's back. */
import assert from 'node:assert/strict';
import { contract } from '../../../api/contract.ts';
import type { JobDecision } from '../../../domain/job.ts';
import { waitFor } from '../../../lab/wait.ts';
import type { Auditor } from './auditor.ts';
import type { Flow } from './flow.ts';
import { guestWritesInAzure, isAt, make, moves, type MoveName, type Place, type Trip } from './moves.ts';

export interface Act {
  readonly from: Place;
  readonly to: Place;
  play(trip: Trip, auditor: Auditor): Promise<void>;
}

const NOTICED_WITHIN_MS = 180_000;
/** Of changed-block tracking: what is shipped is whole blocks. */
const TRACKED_BYTES = 64 * 1024;
const WRITTEN_BYTES = 512 * 1024;
const SLOW_MS = 4_000;

const at = (state: Place['state'], drill = false): Place => ({ state, drill });

export const acts = {
  'a failover does not wait for a drill': {
    from: at('protected'),
    to: at('failedOver'),
    play: async (trip) => {
      const { flow } = trip;
      await importsTake(flow, SLOW_MS * 2);
      const drill = await flow.start(...(await moves.drill.words(trip)));
      await flow.taskIs(drill, 'disks', ['inProgress']);
      const failover = await flow.start(...(await moves.failover.words(trip)));
      await importsTake(flow, 0);
      const displaced = await flow.pauses(drill);
      assert.equal(displaced.error?.code, 'DR_RUN_DISPLACED');
      await moves.failover.holds(trip, await flow.succeeds(failover));
      await flow.isFree();
      await flow.succeeds(await flow.start(...(await moves.cleanup.words(trip))));
      const left = (await flow.practice.resourcesOfRuns()).filter(({ tags }) =>
        Object.values(tags).includes(drill),
      );
      assert.deepEqual(left, []);
    },
  },
  'a failover that is rolled back ships what changed, not everything': {
    from: at('failedOver'),
    to: at('protected'),
    play: async (trip) => {
      const { flow } = trip;
      const { guest } = flow.practice.lab;
      await guest.stopWorkload(flow.machine);
      const before = await trackedBlocks(flow);
      await make(trip, 'rollback');
      const [disk] = (await guest.machine(flow.machine)).disks;
      const write = { deviceKey: disk?.deviceKey ?? 0, offset: 0, length: WRITTEN_BYTES };
      await guest.write({ machine: flow.machine, seed: trip.random.seed, ...write });
      await flow.newPoint();
      await flow.newPoint();
      const after = await trackedBlocks(flow);
      const { activities } = await flow.item();
      const shipped = activities.reduce((bytes, { totals }) => bytes + (totals?.rawBytes ?? 0), 0);
      const changed = after.filter((hash, index) => hash !== before[index]).length * TRACKED_BYTES;
      assert.ok(shipped > 0 && shipped <= changed, `${shipped} bytes were shipped, ${changed} changed`);
      const { seed } = trip.random;
      await guest.startWorkload({ machine: flow.machine, seed, bytesPerSecond: WRITTEN_BYTES / 2 });
    },
  },
  'a failover that was held goes on to its end': {
    from: at('protected'),
    to: at('failedOver'),
    play: async (trip) => {
      const { flow } = trip;
      await importsTake(flow, SLOW_MS);
      await make(trip, 'failover', async (id) => {
        await flow.taskIs(id, 'disks', ['inProgress']);
        await decide(flow, id, 'hold');
        await importsTake(flow, 0);
        const held = await flow.pauses(id);
        assert.equal(held.state, 'waitingForInput');
        assert.deepEqual(
          held.choices?.map(({ decision }) => decision),
          ['finish', 'rollBack'],
        );
        await flow.must('job', 'resume', id);
      });
    },
  },
  'a failback is rolled back at its last step': {
    from: at('protectedReverse'),
    to: at('protectedReverse'),
    play: async (trip) => {
      const { flow } = trip;
      const { guest } = flow.practice.lab;
      await guest.client.post('/_lab/delays', { methods: { PowerOnVM_Task: SLOW_MS } });
      const id = await flow.start(...(await moves.failback.words(trip)));
      await flow.taskIs(id, 'power-on', ['inProgress']);
      await decide(flow, id, 'rollBack');
      const ended = await flow.pauses(id);
      await guest.client.post('/_lab/delays', { methods: {} });
      assert.equal(ended.state, 'cancelled', JSON.stringify(ended.error));
      assert.equal((await flow.isFree()).state, 'protectedReverse');
      await moves['cancel-failback'].holds(trip, ended);
    },
  },
  'a machine powered on behind our back stops the way home until it is compared': {
    from: at('protectedReverse'),
    to: at('protectedReverse'),
    play: splitBrain,
  },
} satisfies Readonly<Record<string, Act>>;
type ActName = keyof typeof acts;

/** One act or move after the other, each from where the one before has ended. */
export async function play(trip: Trip, auditor: Auditor, name: ActName | MoveName): Promise<void> {
  const act: Act | undefined = (acts as Readonly<Record<string, Act>>)[name];
  if (act === undefined) {
    await make(trip, name as MoveName);
    return;
  }
  const { state, drill } = await trip.flow.isFree();
  assert.ok(isAt({ state, drill: drill.state !== 'none' }, act.from), `${name} begins in ${state}`);
  await act.play(trip, auditor);
  assert.equal((await trip.flow.isFree()).state, act.to.state);
}

async function splitBrain(trip: Trip, auditor: Auditor): Promise<void> {
  const { flow } = trip;
  const { guest } = flow.practice.lab;
  const { machine } = flow;
  const from = Date.now();
  await guest.power(machine, true, { force: true });
  const seen = await flow.itemIs(
    'the machine at home to be noticed',
    (item) => item.conditions.some(({ type }) => type === 'DR_HEALTH_SPLIT_BRAIN'),
    NOTICED_WITHIN_MS,
  );
  assert.equal(seen.health, 'critical');
  await guestWritesInAzure(trip);
  const refused = await flow.practice.switchback(['item', 'failback', machine, '--yes', '--output', 'json']);
  assert.match(refused.stderr, /DR_REPLICATION_DIVERGED/);
  await guest.power(machine, false);
  const history = await guest.history(machine);
  const writers = history?.writers.filter(({ openedAtMs }) => openedAtMs >= from) ?? [];
  assert.deepEqual(writers, [], 'something opened a disk for writing while the machine ran at home');
  auditor.excuse({ from, to: Date.now() });
  await flow.itemIs(
    'the machine at home to be seen off',
    (item) => item.conditions.every(({ type }) => type !== 'DR_HEALTH_SPLIT_BRAIN'),
    NOTICED_WITHIN_MS,
  );
  await flow.succeeds(await flow.start('item', 'resync', machine));
}

async function importsTake({ practice }: Flow, importMs: number): Promise<void> {
  await practice.lab.azure.client.post('/_lab/settings', { importMs });
}

async function decide({ practice }: Flow, id: string, decision: JobDecision): Promise<void> {
  await waitFor(
    async () => {
      const body = { decision, reason: 'a test decides' };
      return practice.api.call(contract.decideJob, { params: { id }, body });
    },
    { what: `the decision to ${decision}`, withinMs: NOTICED_WITHIN_MS },
  );
}

/** Hashes of all tracked blocks at home. */
async function trackedBlocks({ practice, machine }: Flow): Promise<string[]> {
  const { guest } = practice.lab;
  const { disks } = await guest.machine(machine);
  const hashes = await Promise.all(
    disks.map(({ deviceKey }) => guest.hash({ machine, deviceKey, blockBytes: TRACKED_BYTES })),
  );
  return hashes.flatMap(({ blocks = [] }) => blocks);
}
