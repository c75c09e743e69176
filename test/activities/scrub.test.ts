/** Continuous scrub on a practice vCenter and a real page blob: a page altered behind the product's back is found, and nothing else is. */
import { ContainerClient, StorageSharedKeyCredential } from '@azure/storage-blob';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createApplyActivities } from '../../activities/replication/create-apply-activities.ts';
import { createMoveActivities } from '../../activities/replication/create-move-activities.ts';
import type { MovePorts } from '../../activities/replication/read-cycle.ts';
import { openItemKey } from '../../dataplane/keys.ts';
import { deletePoint } from '../../dataplane/points.ts';
import { purgeItem } from '../../dataplane/purge.ts';
import { listScrub, loadFinding, loadSample } from '../../dataplane/scrub/records.ts';
import { DrError } from '../../domain/errors.ts';
import { blobNames } from '../../domain/names.ts';
import type { ApplyHeartbeat, SessionOutcome } from '../../workflows/contracts/types.ts';
import { startAzurite, type Azurite } from '../providers/azure/support/azurite.ts';
import { inActivity, type AttemptOptions } from './support/in-activity.ts';
import {
  at,
  firstPoint,
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
  const inventory = names.map((name) => ({ name, poweredOn: true, disks: [{ mib: 8 }] }));
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

function pageBlob({ item }: Machine) {
  const { accountUrl, container, credential } = azurite.storage('vault');
  if (credential.kind !== 'sharedKey') throw new Error('the emulator has a key');
  const key = new StorageSharedKeyCredential(credential.accountName, credential.key.reveal());
  const disk = item.disks[0]?.diskId;
  if (disk === undefined) throw new Error('a disk is needed');
  const url = `${accountUrl}/${container}`;
  return new ContainerClient(url, key).getPageBlobClient(blobNames.replica(item.itemId, disk));
}

test('what is equal stays silent over several cycles, and every block was looked at', async () => {
  const { machine, ship, apply, scrub } = await protectedMachine('sound');
  for (const mib of [2, 4, 6]) {
    await machine.write(at(mib));
    await machine.zero(at(1));
    expect(await ship()).toBe('nextCycle');
    expect(await apply()).toBe('nextCycle');
  }
  const blocks = 8 * 16;
  expect(scrub()).toMatchObject({ blocks: 3 * blocks, bytes: at(3 * 8), differingBlocks: 0 });
  expect(scrub()?.disks).toMatchObject([{ blocks }]);

  const { storage } = ports;
  const { itemId } = machine.item;
  // Samples stand beside their points, end with them, and with the item.
  expect((await listScrub(storage, itemId)).samples).toEqual([2, 3, 4]);
  const [, second] = await machine.points();
  if (second === undefined) throw new Error('two points are needed');
  await deletePoint(storage, second);
  await machine.write(at(5));
  await ship();
  expect(await apply()).toBe('nextCycle');
  expect((await listScrub(storage, itemId)).samples).toEqual([2, 4, 5]);
  await purgeItem(storage, itemId, [], new AbortController().signal);
  expect(await Array.fromAsync(storage.list(blobNames.scrubPrefix(itemId)))).toEqual([]);
});

test('one altered page of the replica is a critical condition that names disk and offset, told until it is known', async () => {
  const { machine, ship, apply, forget } = await protectedMachine('altered');
  await pageBlob(machine).uploadPages(Buffer.alloc(PAGE_BYTES, 0xee), at(5) + 7 * PAGE_BYTES, PAGE_BYTES);
  await machine.write(at(2));
  expect(await ship()).toBe('nextCycle');
  const told = await apply();
  expect(told).toMatchObject({
    outcome: 'differs',
    condition: { type: 'DR_HEALTH_REPLICA_DIFFERS', category: 'critical' },
  });
  const { reason } = (told as { condition: { reason: string } }).condition;
  expect(reason).toContain(
    `p000002 differs from its source: "disk-202-0" at byte ${at(5)} (65536 bytes found)`,
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
    disks: [{ ranges: [{ offset: at(5), length: 65_536 }] }],
  });
  // What lies in the account tells nothing of the blocks: equal ones have different hashes.
  const sample = await loadSample({ storage, item, key }, 2);
  const hashes = sample?.disks[0]?.blocks.map(([, hash]) => hash) ?? [];
  expect(new Set(hashes).size).toBe(8 * 16);
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

// eslint-disable-next-line require-yield
async function* storageIsAway(): AsyncGenerator<never> {
  throw new DrError('DR_STORAGE_UNREACHABLE', { account: 'vault', reason: 'the test says so' });
}
