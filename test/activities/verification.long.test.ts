/** Scrub and verification on a practice vCenter and real page blobs: a page altered behind the product's back is found, and nothing else is. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createApplyActivities } from '../../activities/replication/create-apply-activities.ts';
import { createCompareActivities } from '../../activities/replication/create-compare-activities.ts';
import { createCompareMoveActivities } from '../../activities/replication/create-compare-move-activities.ts';
import { runDelta } from '../../activities/replication/delta.ts';
import { createMoveActivities } from '../../activities/replication/create-move-activities.ts';
import type { MovePorts } from '../../activities/replication/read-cycle.ts';
import { openItemKey } from '../../dataplane/keys.ts';
import { deletePoint } from '../../dataplane/points.ts';
import { purgeItem } from '../../dataplane/purge.ts';
import { pageListedPoints } from '../../dataplane/scrub/listed-points.ts';
import { listScrub, loadFinding, loadSample } from '../../dataplane/scrub/records.ts';
import { DrError } from '../../domain/errors.ts';
import { blobNames } from '../../domain/names.ts';
import type { RecoveryPointChoice } from '../../domain/replication.ts';
import { KiB } from '../../domain/units.ts';
import type {
  ApplyHeartbeat,
  ReplicationHeartbeat,
  SessionOutcome,
} from '../../workflows/contracts/types.ts';
import { codeOf } from '../providers/vsphere/practice-vcenter.ts';
import { startAzurite, type Azurite } from '../providers/azure/support/azurite.ts';
import { inActivity, type AttemptOptions } from './support/in-activity.ts';
import { replicaPages } from './support/replica-pages.ts';
import {
  BLOCK_BYTES,
  at,
  firstPoint,
  hooks,
  startReplicationRig,
  type Machine,
  type ReplicationRig,
} from './support/replication-rig.ts';

/** So much that every cycle looks at all of it, however soon it follows the one before. */
const EVERYTHING = 1e9;
const PAGE_BYTES = 512;

let azurite: Azurite;
let rig: ReplicationRig;
let ports: MovePorts;
beforeAll(async () => {
  azurite = await startAzurite();
  const names = ['sound', 'altered', 'offline'];
  const inventory = names.map((name) => ({ name, poweredOn: true, disks: [{ mib: 4 }] }));
  inventory.push({ name: 'verified', poweredOn: true, disks: [{ mib: 8 }, { mib: 8 }] });
  rig = await startReplicationRig(inventory, azurite.storage('vault'));
  ports = { ...rig.ports, scrubPercentPerDay: EVERYTHING };
});
afterAll(async () => {
  await rig.stop();
  await azurite.stop();
});

async function protectedMachine(name: string) {
  const machine = await rig.machine(name);
  for (const mib of [1, 3]) await machine.write(at(mib));
  await firstPoint(rig.ports, machine);
  return { machine, ...sessionsOf(machine) };
}

/** Sessions as Temporal plays them: attempt after attempt, each with what the one before left. */
function sessionsOf({ item }: Machine, within = ports) {
  const move = createMoveActivities(within);
  const apply = createApplyActivities(within);
  let attempt = 1;
  let details: unknown;
  const input = { item, sessionEpoch: 9, endsAt: '2999-01-01T00:00:00.000Z', reportRecovery: false };
  const attemptOf = async (work: () => Promise<SessionOutcome>, kept: AttemptOptions = {}) => {
    attempt += 1;
    return inActivity(work, { attempt, ...kept }).catch((error: unknown) => {
      if ((error as { type?: string }).type === 'NextCycle') return 'nextCycle' as const;
      throw error;
    });
  };
  return {
    ship: () => attemptOf(() => move.shipSession(input)),
    apply: (differenceKnown = false) =>
      attemptOf(() => apply.applySession({ ...input, ...(differenceKnown ? { differenceKnown } : {}) }), {
        details,
        onHeartbeat: (next) => (details = next),
      }),
    scrub: () => (details as ApplyHeartbeat | undefined)?.scrub,
    /** The next attempt is that of a new session, or of a worker that knows nothing. */
    forget: () => (details = undefined),
  };
}

test('what is equal stays silent over several cycles, and every block was looked at', async () => {
  const { machine, ship, apply, scrub } = await protectedMachine('sound');
  for (const mib of [2, 3]) {
    await machine.write(at(mib));
    await machine.zero(at(1));
    expect(await ship()).toBe('nextCycle');
    expect(await apply()).toBe('nextCycle');
  }
  const blocks = 4 * 16;
  expect(scrub()).toMatchObject({ blocks: 2 * blocks, bytes: at(2 * 4), differingBlocks: 0 });
  expect(scrub()?.disks).toMatchObject([{ blocks }]);

  const { storage } = ports;
  const { itemId } = machine.item;
  // Samples stand beside their points, end with them, and with the item.
  expect((await listScrub(storage, itemId)).samples).toEqual([2, 3]);
  const [, second] = await machine.points();
  if (second === undefined) throw new Error('two points are needed');
  await deletePoint(storage, second);
  await machine.write(at(2));
  await ship();
  expect(await apply()).toBe('nextCycle');
  expect((await listScrub(storage, itemId)).samples).toEqual([3, 4]);
  await purgeItem(storage, itemId, [], new AbortController().signal);
  expect(await Array.fromAsync(storage.list(blobNames.scrubPrefix(itemId)))).toEqual([]);
});

test('one altered page of the replica is a critical condition that names disk and offset, told until it is known', async () => {
  const { machine, ship, apply, forget } = await protectedMachine('altered');
  await replicaPages(azurite, machine.item).uploadPages(
    Buffer.alloc(PAGE_BYTES, 0xee),
    at(1.5) + 7 * PAGE_BYTES,
    PAGE_BYTES,
  );
  await machine.write(at(2));
  expect(await ship()).toBe('nextCycle');
  const told = await apply();
  expect(told).toMatchObject({
    outcome: 'differs',
    condition: { type: 'DR_HEALTH_REPLICA_DIFFERS', category: 'critical' },
  });
  const { reason } = (told as { condition: { reason: string } }).condition;
  expect(reason).toContain(
    `p000002 differs from its source: "disk-202-0" at byte ${at(1.5)} (65536 bytes found)`,
  );

  // Whoever found it may have died before it was heard: it is told again, until health is known to show it.
  forget();
  expect(await apply()).toMatchObject({ outcome: 'differs' });
  forget();
  expect(await apply(true)).toBe('nextCycle');
  forget();
  expect(await apply()).toBe('nextCycle');

  const { storage, vaultKey } = ports;
  const item = machine.item.itemId;
  const key = await openItemKey(storage, vaultKey, item);
  expect(await loadFinding({ storage, item, key }, 2)).toMatchObject({
    pointId: 'p000002',
    foundBy: 'scrub',
    disks: [{ ranges: [{ offset: at(1.5), length: 65_536 }] }],
  });
  // What lies in the account tells nothing of the blocks: equal ones have different hashes.
  const sample = await loadSample({ storage, item, key }, 2);
  const hashes = sample?.disks[0]?.blocks.map(([, hash]) => hash) ?? [];
  expect(new Set(hashes).size).toBe(4 * 16);
});

test('an account that does not answer, a forged sample and a point that is gone raise no alarm', async () => {
  const { machine, ship } = await protectedMachine('offline');
  const { storage } = ports;
  const { itemId } = machine.item;
  await machine.write(at(2));
  await ship();
  await machine.newestPoint();
  const refusing = {
    ...storage,
    list: (prefix: string) =>
      prefix === blobNames.scrubPrefix(itemId) ? storageIsAway() : storage.list(prefix),
  };
  const away = sessionsOf(machine, { ...ports, storage: refusing });
  expect(await away.apply()).toBe('nextCycle');

  const name = blobNames.scrubSample(itemId, 2);
  const stored = await storage.get(name);
  const text = Buffer.from(stored?.body ?? []).toString();
  await storage.put(name, Buffer.from(text.replace(/"[0-9a-f]{32}"\]/, `"${'0'.repeat(32)}"]`)));
  const { apply, scrub } = sessionsOf(machine);
  expect(await apply()).toBe('nextCycle');
  expect(scrub()?.blocks).toBe(0);
});

async function verify(
  { item }: Machine,
  sessionEpoch: number,
  choice: RecoveryPointChoice = { kind: 'latest' },
) {
  const azure = createCompareActivities(rig.ports);
  const site = createCompareMoveActivities({ ...rig.ports, scrubPercentPerDay: 1 });
  const told: ReplicationHeartbeat[] = [];
  const hashed = await inActivity(() => azure.hashPoint({ item, sessionEpoch, choice }));
  const compared = await inActivity(() => site.comparePoint({ item, hashed }), {
    onHeartbeat: (details) => told.push(details as ReplicationHeartbeat),
  });
  return { hashed, compared, told };
}

test('what changed since is left out, what must be equal is compared, and a page that is not is named', async () => {
  const machine = await rig.machine('verified');
  const { item } = machine;
  const { storage, vaultKey } = rig.ports;
  await machine.write(at(1));
  await machine.write(at(3), 1);
  await firstPoint(rig.ports, machine);
  const scrubbing = { ...rig.ports, scrubPercentPerDay: 1 };
  await machine.write(at(2));
  await runDelta(scrubbing, { item, epoch: 2 }, hooks());
  await machine.write(at(5));

  const equal = await verify(machine, 7);
  expect(equal.hashed).toMatchObject({ pointId: 'p000002', isNewest: true });
  expect(equal.compared).toEqual({
    comparedBytes: at(16) - BLOCK_BYTES,
    changedBytes: BLOCK_BYTES,
    differingBytes: 0,
    disks: [],
  });
  expect(equal.told.at(-1)?.progress).toMatchObject({
    phase: 'verify',
    totalBytes: at(16),
    doneBytes: at(16),
  });

  // Behind the product's back; then a point that carries it, and one before that does not.
  await replicaPages(azurite, item, 1).uploadPages(Buffer.alloc(512, 0xee), at(6), 512);
  await runDelta(scrubbing, { item, epoch: 2 ** 24 }, hooks());
  const altered = await verify(machine, 17);
  const ranges = [{ offset: at(6), length: 4 * KiB }];
  expect(altered.compared).toMatchObject({
    differingBytes: 4 * KiB,
    disks: [{ diskId: item.disks[1]?.diskId, ranges }],
    condition: { type: 'DR_HEALTH_REPLICA_DIFFERS', category: 'critical' },
  });
  expect(altered.compared.changedBytes).toBe(0);
  const key = await openItemKey(storage, vaultKey, item.itemId);
  expect(await loadFinding({ storage, item: item.itemId, key }, 3)).toMatchObject({ foundBy: 'verify' });

  // Its barrier may be gone: the sample says from where to ask for what has changed since.
  await storage.delete(blobNames.barrier(item.itemId, 2));
  const older = await verify(machine, 18, { kind: 'custom', pointId: equal.hashed.pointId });
  expect(older.hashed.isNewest).toBe(false);
  expect(older.compared).toMatchObject({ changedBytes: BLOCK_BYTES, differingBytes: 0 });

  const { items } = await pageListedPoints(storage, item.itemId, { limit: 9 });
  expect(items.map(({ differs }) => differs?.map(({ ranges }) => ranges))).toEqual([
    [ranges],
    undefined,
    undefined,
  ]);

  // Nothing but the finding stays, on either side.
  expect(await machine.snapshotNames()).toEqual([]);
  expect(await Array.fromAsync(storage.list(blobNames.blockHashesPrefix(item.itemId)))).toEqual([]);
  expect((await listScrub(storage, item.itemId)).findings).toEqual([3]);

  await rig.practice.lab('POST', 'cbt-reset', { machine: 'verified' });
  await expect(codeOf(verify(machine, 19))).resolves.toBe('DR_VERIFY_IMPOSSIBLE');
});

// eslint-disable-next-line require-yield
async function* storageIsAway(): AsyncGenerator<never> {
  throw new DrError('DR_STORAGE_UNREACHABLE', { account: 'vault', reason: 'the test says so' });
}
