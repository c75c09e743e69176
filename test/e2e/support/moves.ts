/** Every operation of the round trip: from which state, how an operator asks for it, and what must hold after it. */
import assert from 'node:assert/strict';
import type { Job } from '../../../api/jobs.ts';
import type { ItemState } from '../../../domain/protected-item.ts';
import { waitFor } from '../../../lab/wait.ts';
import { imageAtHome, imageInAzure, isSameImage, type DiskImage } from '../../../scripts/demo/measure.ts';
import type { FailoverResult } from '../../../workflows/contracts/types.ts';
import type { Random } from '../../support/random.ts';
import type { Flow } from './flow.ts';

export const moveNames = [
  'drill',
  'cleanup',
  'failover',
  'change-point',
  'rollback',
  'commit',
  'reprotect',
  'failback',
  'cancel-failback',
  'commit-failback',
  're-enable',
] as const;
export type MoveName = (typeof moveNames)[number];

/** Where the item stands between two moves. */
export interface Place {
  readonly state: ItemState;
  readonly drill: boolean;
}

export interface Move {
  readonly from: Place;
  readonly to: Place;
  /** Before it is asked for; answers the words of the command. */
  words(trip: Trip): Promise<string[]>;
  /** After it has succeeded. @throws when bytes, machines or what is left are not what they must be */
  holds(trip: Trip, job: Job): Promise<void>;
}

export interface Trip {
  readonly flow: Flow;
  readonly random: Random;
  /** Id of the machine that the last failover has made. */
  machineInAzure: string | undefined;
}

const GUEST_BYTES_PER_SECOND = 256 * 1024;
const WRITTEN_MIN = 128 * 1024;
const WITHIN_MS = 120_000;

const at = (state: ItemState, drill = false): Place => ({ state, drill });
const verb =
  (name: string, ...more: string[]) =>
  async ({ flow }: Trip) => ['item', name, flow.machine, ...more];

export const moves: Readonly<Record<MoveName, Move>> = {
  drill: {
    from: at('protected'),
    to: at('protected', true),
    words: async ({ flow }) => {
      const { isolatedSubnetId } = flow.practice.lab.addresses;
      return ['item', 'test-failover', flow.machine, '--subnet', isolatedSubnetId];
    },
    holds: async ({ flow }, job) => {
      await flow.expectOneOfEach(resultOf(job));
      await flow.expectEqual(resultOf(job));
      await homeIs(flow, 'poweredOn');
    },
  },
  cleanup: {
    from: at('protected', true),
    to: at('protected'),
    words: verb('cleanup', '--notes', 'it came up'),
    holds: async ({ flow }) => assert.deepEqual(await flow.practice.resourcesOfRuns(), []),
  },
  failover: {
    from: at('protected'),
    to: at('failedOver'),
    words: verb('failover', '--yes'),
    holds: async (trip, job) => {
      await homeIs(trip.flow, 'poweredOff');
      await landedInAzure(trip, resultOf(job));
    },
  },
  'change-point': {
    from: at('failedOver'),
    to: at('failedOver'),
    words: async ({ flow, random }) => {
      const now = (await flow.item()).failover?.point.pointId;
      const others = (await flow.points()).filter(({ pointId }) => pointId !== now);
      const point = others[random.below(others.length)]?.pointId ?? 'latest-processed';
      return ['item', 'change-point', flow.machine, '--point', point, '--yes'];
    },
    holds: async (trip, job) => landedInAzure(trip, resultOf(job)),
  },
  rollback: {
    from: at('failedOver'),
    to: at('protected'),
    words: verb('rollback', '--yes'),
    holds: async ({ flow }) => {
      assert.deepEqual(await flow.practice.resourcesOfRuns(), []);
      await homeIs(flow, 'poweredOn');
      await flow.newPoint();
    },
  },
  commit: {
    from: at('failedOver'),
    to: at('committed'),
    words: verb('commit', '--yes'),
    holds: async ({ flow }) => {
      assert.equal((await flow.points()).length, 1);
      assert.deepEqual(await flow.practice.snapshotsOf(flow.machine), []);
    },
  },
  reprotect: {
    from: at('committed'),
    to: at('protectedReverse'),
    words: verb('reprotect', '--yes'),
    holds: async ({ flow }) => homeIs(flow, 'poweredOff'),
  },
  failback: {
    from: at('protectedReverse'),
    to: at('failedBack'),
    words: verb('failback', '--yes'),
    holds: async ({ flow }) => {
      await landedAtHome(flow);
      await homeIs(flow, 'poweredOn');
    },
  },
  'cancel-failback': {
    from: at('failedBack'),
    to: at('protectedReverse'),
    words: verb('cancel-failback', '--yes'),
    holds: async (trip) => {
      await homeIs(trip.flow, 'poweredOff');
      await guestWritesInAzure(trip);
    },
  },
  'commit-failback': {
    from: at('failedBack'),
    to: at('failedBackCommitted'),
    words: verb('commit', '--yes'),
    holds: async ({ flow }) => {
      assert.deepEqual(await flow.practice.resourcesOfRuns(), []);
      assert.deepEqual(await flow.practice.snapshotsOf(flow.machine), []);
      await homeIs(flow, 'poweredOn');
    },
  },
  're-enable': {
    from: at('failedBackCommitted'),
    to: at('protected'),
    words: verb('re-enable'),
    holds: async ({ flow }) => {
      assert.notDeepEqual(await flow.points(), []);
    },
  },
};

export function isAt(place: Place, other: Place): boolean {
  return place.state === other.state && place.drill === other.drill;
}

/** The whole move: asked for, watched to its end, and everything that must hold after it. */
export async function make(
  trip: Trip,
  name: MoveName,
  meanwhile?: (job: string) => Promise<void>,
): Promise<Job> {
  const { flow } = trip;
  const move = moves[name];
  await flow.isFree();
  const { id, accepted } = flow.begin(...(await move.words(trip)));
  await Promise.all([accepted, meanwhile?.(id)]);
  const job = await flow.succeeds(id);
  const item = await flow.isFree();
  assert.equal(item.state, move.to.state, `${name} ends in another state`);
  await move.holds(trip, job);
  return job;
}

// ------------------------------------------------------------ what holds

function resultOf({ result }: Job): FailoverResult {
  return result as unknown as FailoverResult;
}

async function homeIs({ practice, machine }: Flow, state: 'poweredOn' | 'poweredOff'): Promise<void> {
  assert.equal((await practice.lab.guest.machine(machine)).powerState, state);
}

/** Judged before the guest writes in Azure; then it does. */
async function landedInAzure(trip: Trip, result: FailoverResult): Promise<void> {
  await trip.flow.expectOneOfEach(result);
  await trip.flow.expectEqual(result);
  trip.machineInAzure = result.vmId;
  await guestWritesInAzure(trip);
}

/** From now on, until its machine stops; some of it at once. */
export async function guestWritesInAzure({ flow, random, machineInAzure }: Trip): Promise<void> {
  const machine = machineInAzure ?? '';
  const { azure } = flow.practice.lab;
  const { seed } = random;
  await azure.startWorkload({ machine, seed, bytesPerSecond: GUEST_BYTES_PER_SECOND });
  await waitFor(async () => (await azure.workload(machine)).bytes >= WRITTEN_MIN, {
    what: 'the guest to write in Azure',
    withinMs: WITHIN_MS,
    everyMs: 100,
  });
}

/** What the stopped Azure machine holds is what the machine at home started from. */
async function landedAtHome(flow: Flow): Promise<void> {
  const { failover } = await flow.item();
  const [snapshot, ...more] = await flow.practice.snapshotsOf(flow.machine);
  assert.deepEqual(more, []);
  const there = await imageInAzure(flow.practice.lab.azure, failover?.diskIds ?? []);
  const here = await homeImage(flow, there, snapshot);
  assert.ok(
    isSameImage(there, here),
    `home does not hold what Azure held: ${there.map((disk, i) => `${disk.sha256} ${here[i]?.sha256}`).join(', ')}`,
  );
}

/** The disks at home, as long as those in Azure. */
async function homeImage(flow: Flow, like: DiskImage, snapshot?: string): Promise<DiskImage> {
  const { spec } = await flow.item();
  const disks = (spec?.disks ?? [])
    .toSorted((a, b) => a.index - b.index)
    .map(({ deviceKey }, i) => ({ deviceKey, padToBytes: (like[i]?.blocks.length ?? 0) * 4096 }));
  return imageAtHome(flow.practice.lab.guest, flow.machine, disks, snapshot);
}
