import { randomBytes } from 'node:crypto';
import { BlobServiceClient, StorageSharedKeyCredential } from '@azure/storage-blob';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { ErrorCode } from '../../../domain/errors.ts';
import { Secret } from '../../../domain/ports.ts';
import type { ReplicaBlob, VaultStorage } from '../../../domain/ports.ts';
import type { Extent } from '../../../domain/replication.ts';
import { MiB } from '../../../domain/units.ts';
import { createVaultStorage, ensureContainer } from '../../../providers/azure/storage/vault-storage.ts';
import type { StorageOptions } from '../../../providers/azure/storage/vault-storage.ts';
import { startAzurite } from './support/azurite.ts';
import type { Azurite } from './support/azurite.ts';

let azurite: Azurite;
let options: StorageOptions;
let storage: VaultStorage;
const never = new AbortController().signal;
let counter = 0;

beforeAll(async () => {
  azurite = await startAzurite();
  options = azurite.storage('vault');
  await ensureContainer(options);
  storage = createVaultStorage(options);
});

afterAll(async () => {
  await azurite.stop();
});

const text = (value: string) => new TextEncoder().encode(value);
const failsWith = (code: ErrorCode) => expect.objectContaining({ code });

async function newReplica(bytes = MiB + 512): Promise<ReplicaBlob> {
  counter += 1;
  const replica = storage.replica(`replica/item/disk${counter}.vhd`);
  await replica.create(bytes);
  return replica;
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

/** The SDK itself, for what the product cannot do: meddle. */
function rawPageBlob(replica: ReplicaBlob) {
  if (options.credential.kind !== 'sharedKey') throw new Error('the emulator is used with its key');
  const { accountName, key } = options.credential;
  const credential = new StorageSharedKeyCredential(accountName, key.reveal());
  return new BlobServiceClient(options.accountUrl, credential)
    .getContainerClient(options.container)
    .getPageBlobClient(replica.name);
}

describe('blobs', () => {
  test('ensureContainer may be repeated', async () => {
    await expect(ensureContainer(options)).resolves.toBeUndefined();
  });

  test('of many write-once writers exactly one wins, and its body stays', async () => {
    const bodies = Array.from({ length: 8 }, (_, index) => text(`writer ${index}`));
    const answers = await Promise.all(bodies.map((body) => storage.putOnce('once', body)));
    expect(answers.filter((answer) => answer === 'created')).toHaveLength(1);
    const stored = await storage.get('once');
    expect(stored?.body).toEqual(Buffer.from(bodies[answers.indexOf('created')] ?? []));
    await expect(storage.putOnce('once', text('late'))).resolves.toBe('exists');
  });

  test('a conditional put loses to the writer that was first', async () => {
    const first = await storage.put('versions', text('1'));
    const second = await storage.put('versions', text('2'), first ?? '');
    expect(second).not.toBeNull();
    await expect(storage.put('versions', text('3'), first ?? '')).resolves.toBeNull();
    await expect(storage.put('never-there', text('1'), first ?? '')).resolves.toBeNull();
    expect(Buffer.from((await storage.get('versions'))?.body ?? []).toString()).toBe('2');
  });

  test('a missing blob reads as null, and deleting it again is done', async () => {
    await storage.put('short-lived', text('x'));
    await storage.delete('short-lived');
    await storage.delete('short-lived');
    await expect(storage.get('short-lived')).resolves.toBeNull();
  });

  test('lists names and sizes below a prefix in the order of names', async () => {
    const names = Array.from({ length: 12 }, (_, index) => `page/${String(index).padStart(2, '0')}`);
    await Promise.all(names.map((name) => storage.put(name, text(name))));
    const found = await collect(storage.list('page/'));
    expect(found).toEqual(names.map((name) => ({ name, bytes: 7 })));
  });

  test('an aborted call throws the reason of its caller', async () => {
    const reason = new Error('stopped by the test');
    await expect(storage.get('once', AbortSignal.abort(reason))).rejects.toBe(reason);
  });
});

describe('fencing', () => {
  test('an older epoch can write neither pages, nor metadata, nor snapshots', async () => {
    const replica = await newReplica();
    const older = await replica.fence(7, never);
    await older.write(0, Buffer.alloc(512, 1));
    const newer = await replica.fence(8, never);
    await expect(older.write(0, Buffer.alloc(512, 2))).rejects.toMatchObject({
      code: 'DR_REPLICATION_FENCED',
      context: { epoch: 7, newer: 8 },
    });
    const alsoOlder = [
      () => older.clear(0, 512),
      () => older.setMetadata({ by: 'older' }),
      () => older.snapshot(),
    ];
    for (const attempt of alsoOlder) {
      await expect(attempt()).rejects.toEqual(failsWith('DR_REPLICATION_FENCED'));
    }
    await newer.setMetadata({ by: 'newer' });
    await expect(replica.properties()).resolves.toMatchObject({
      sequenceNumber: 8,
      metadata: { by: 'newer' },
    });
    await expect(replica.snapshots()).resolves.toHaveLength(0);
    expect(await replica.read(null, 0, 512)).toEqual(Buffer.alloc(512, 1));
    await Promise.all([older.release(), newer.release()]);
  });

  test.each(['clear', 'setMetadata', 'snapshot'] as const)(
    'the first thing a fenced writer tries may be %s: the service refuses it',
    async (kind) => {
      const replica = await newReplica();
      const older = await replica.fence(1, never);
      const newer = await replica.fence(2, never);
      await newer.release();
      const attempt = {
        clear: () => older.clear(0, 512),
        setMetadata: () => older.setMetadata({ a: 'b' }),
        snapshot: () => older.snapshot(),
      }[kind];
      await expect(attempt()).rejects.toEqual(failsWith('DR_REPLICATION_FENCED'));
      await older.release();
    },
  );

  test('an older epoch cannot take the pen back', async () => {
    const replica = await newReplica();
    const newer = await replica.fence(2 ** 40 + 1, never);
    await expect(replica.fence(2 ** 40, never)).rejects.toEqual(failsWith('DR_REPLICATION_FENCED'));
    await expect(newer.write(0, Buffer.alloc(512, 9))).resolves.toBeUndefined();
    await newer.release();
  });

  test("breaks a dead writer's lease instead of waiting for its end", async () => {
    const replica = await newReplica();
    await rawPageBlob(replica).getBlobLeaseClient().acquireLease(-1);
    const writer = await replica.fence(1, never);
    await writer.write(0, Buffer.alloc(512, 3));
    await writer.release();
  });

  test('the same epoch takes its own pen again', async () => {
    const replica = await newReplica();
    const first = await replica.fence(5, never);
    const again = await replica.fence(5, never);
    await again.write(0, Buffer.alloc(512, 4));
    await Promise.all([first.release(), again.release()]);
  });

  test('of epochs that race for the pen the greatest ends as the only writer', async () => {
    const replica = await newReplica();
    const racers = await Promise.allSettled([1, 2, 3, 4].map((epoch) => replica.fence(epoch, never)));
    expect((await replica.properties())?.sequenceNumber).toBe(4);
    const greatest = await replica.fence(4, never);
    await greatest.write(0, Buffer.alloc(512, 4));
    for (const racer of racers.slice(0, 3)) {
      const late =
        racer.status === 'fulfilled'
          ? racer.value.write(0, Buffer.alloc(512, 1))
          : Promise.reject(racer.reason);
      await expect(late).rejects.toEqual(failsWith('DR_REPLICATION_FENCED'));
    }
    expect(await replica.read(null, 0, 512)).toEqual(Buffer.alloc(512, 4));
    for (const racer of racers) if (racer.status === 'fulfilled') await racer.value.release();
    await greatest.release();
  });

  test('a lease broken without a newer epoch is worth a retry, not the end', async () => {
    const replica = await newReplica();
    const writer = await replica.fence(1, never);
    await rawPageBlob(replica).getBlobLeaseClient().breakLease(0);
    await expect(writer.write(0, Buffer.alloc(512))).rejects.toEqual(failsWith('DR_STORAGE_UNREACHABLE'));
    await writer.release();
  });

  test('a released or aborted writer writes no more', async () => {
    const replica = await newReplica();
    const released = await replica.fence(1, never);
    await released.release();
    await released.release();
    await expect(released.write(0, Buffer.alloc(512))).rejects.toEqual(failsWith('DR_INTERNAL'));
    const stop = new AbortController();
    const aborted = await replica.fence(2, stop.signal);
    stop.abort(new Error('cancelled'));
    await expect(aborted.write(0, Buffer.alloc(512))).rejects.toThrow('cancelled');
    await aborted.release();
  });

  test('release frees the blob for writers that know no lease', async () => {
    const replica = await newReplica();
    const writer = await replica.fence(1, never);
    await writer.release();
    await expect(rawPageBlob(replica).uploadPages(Buffer.alloc(512), 0, 512)).resolves.toBeDefined();
  });
});

describe('pages and snapshots', () => {
  test('refuses what Azure refuses: too long, not aligned, out of bounds', async () => {
    const replica = await newReplica(8 * MiB + 512);
    const writer = await replica.fence(1, never);
    const bad: readonly [number, number][] = [
      [0, 4 * MiB + 512],
      [100, 512],
      [0, 100],
      [8 * MiB, 1024],
      [-512, 512],
    ];
    for (const [offset, length] of bad) {
      await expect(writer.write(offset, Buffer.alloc(length))).rejects.toEqual(failsWith('DR_INTERNAL'));
    }
    await expect(writer.clear(0, 9 * MiB)).rejects.toEqual(failsWith('DR_INTERNAL'));
    await expect(writer.write(8 * MiB, Buffer.alloc(512, 1))).resolves.toBeUndefined();
    await writer.release();
  });

  test('an existing page blob is adopted when the size fits, refused when not', async () => {
    const replica = await newReplica(MiB);
    await expect(replica.create(MiB)).resolves.toBeUndefined();
    await expect(replica.create(2 * MiB)).rejects.toEqual(failsWith('DR_STORAGE_REFUSED'));
    await expect(replica.create(1000)).rejects.toEqual(failsWith('DR_STORAGE_REFUSED'));
    await expect(storage.replica('replica/nowhere').properties()).resolves.toBeNull();
  });

  test('a snapshot keeps its bytes and its metadata through later writes', async () => {
    const replica = await newReplica(4 * MiB);
    const writer = await replica.fence(1, never);
    const before = randomBytes(2 * MiB);
    await writer.write(0, before);
    await writer.setMetadata({ point: 'p000001' });
    const snapshotId = await writer.snapshot();
    await writer.write(0, randomBytes(MiB));
    await writer.clear(MiB, MiB);
    await writer.setMetadata({ point: 'p000002' });
    expect(Buffer.compare(await replica.read(snapshotId, 0, 2 * MiB), before)).toBe(0);
    expect(await replica.read(null, MiB, 512)).toEqual(Buffer.alloc(512));
    await expect(replica.snapshots()).resolves.toEqual([{ snapshotId, metadata: { point: 'p000001' } }]);
    await replica.deleteSnapshot(snapshotId);
    await replica.deleteSnapshot(snapshotId);
    await expect(replica.snapshots()).resolves.toEqual([]);
    await writer.release();
  });

  test('snapshots asked for at once get ids of their own', async () => {
    const replica = await newReplica();
    const writer = await replica.fence(1, never);
    const ids = await Promise.all(Array.from({ length: 12 }, () => writer.snapshot()));
    expect(new Set(ids).size).toBe(12);
    expect(await replica.snapshots()).toHaveLength(12);
    await writer.release();
  });

  test('ranges are exact to the byte and merged', async () => {
    const replica = await newReplica(4 * MiB);
    const writer = await replica.fence(1, never);
    await writer.write(512, Buffer.alloc(512, 1));
    await writer.write(1024, Buffer.alloc(1024, 1));
    await writer.write(MiB, Buffer.alloc(4096, 1));
    await writer.clear(MiB + 512, 512);
    const snapshotId = await writer.snapshot();
    await writer.clear(0, 4 * MiB);
    const expected: Extent[] = [
      { offset: 512, length: 1536 },
      { offset: MiB, length: 512 },
      { offset: MiB + 1024, length: 3072 },
    ];
    expect(await collect(replica.ranges(snapshotId))).toEqual(expected);
    expect(await collect(replica.ranges(null))).toEqual([]);
    await writer.release();
  });

  test('copies a snapshot to a blob of its own, adopts the copy when repeated, refuses a foreign blob', async () => {
    const replica = await newReplica(2 * MiB);
    const writer = await replica.fence(1, never);
    const bytes = randomBytes(MiB);
    await writer.write(0, bytes);
    const snapshotId = await writer.snapshot();
    await writer.write(0, randomBytes(MiB));
    const other = await writer.snapshot();
    const copy = storage.replica('failover/run1/disk.vhd');
    await replica.copySnapshot(snapshotId, copy.name);
    await replica.copySnapshot(snapshotId, copy.name);
    await copy.awaitCopy(() => undefined, never);
    expect(Buffer.compare(await copy.read(null, 0, MiB), bytes)).toBe(0);
    await expect(replica.copySnapshot(other, copy.name)).rejects.toEqual(failsWith('DR_STORAGE_REFUSED'));
    await expect(replica.awaitCopy(() => undefined, never)).rejects.toEqual(failsWith('DR_STORAGE_REFUSED'));
    expect(copy.url).not.toContain('?');
    await writer.release();
  });

  test('deletes a replica with its snapshots even while a dead writer holds the lease', async () => {
    const replica = await newReplica();
    const writer = await replica.fence(1, never);
    await writer.snapshot();
    await storage.delete(replica.name);
    await expect(replica.properties()).resolves.toBeNull();
    await expect(replica.snapshots()).resolves.toEqual([]);
    await writer.release();
  });
});

describe('errors', () => {
  test('a wrong key is refused, and neither key shows in the error', async () => {
    const key = randomBytes(64).toString('base64');
    const wrong = createVaultStorage({
      ...options,
      credential: { kind: 'sharedKey', accountName: 'devstoreaccount1', key: new Secret(key) },
    });
    const error: unknown = await wrong.get('once').catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'DR_STORAGE_REFUSED', context: { account: 'devstoreaccount1' } });
    expect(`${String(error)} ${JSON.stringify(error)}`).not.toContain(key);
  });

  test('a missing container is refused by name, not taken for a missing blob', async () => {
    const elsewhere = createVaultStorage({ ...options, container: 'nowhere' });
    await expect(elsewhere.get('once')).rejects.toMatchObject({
      code: 'DR_STORAGE_REFUSED',
      context: { reason: '404 ContainerNotFound' },
    });
  });

  test('plain http is for loopback hosts only', () => {
    const bad = { ...options, accountUrl: 'http://account.blob.core.windows.net' };
    expect(() => createVaultStorage(bad)).toThrow(failsWith('DR_CONFIG_INVALID'));
  });

  test('a server that stopped is unreachable for readers, writers and lists', async () => {
    const mortal = await startAzurite();
    const own = mortal.storage('vault');
    await ensureContainer(own);
    const store = createVaultStorage(own);
    const replica = store.replica('replica/x.vhd');
    await replica.create(MiB);
    const writer = await replica.fence(1, never);
    await mortal.stop();
    const attempts = [
      () => store.get('x'),
      () => store.putOnce('x', text('x')),
      () => collect(store.list('')),
      () => writer.write(0, Buffer.alloc(512)),
      () => ensureContainer(own),
    ];
    for (const attempt of attempts) {
      await expect(attempt()).rejects.toEqual(failsWith('DR_STORAGE_UNREACHABLE'));
    }
    await writer.release();
  });
});
