import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { ensureItemKey, openItemKey } from '../../dataplane/keys.ts';
import { asId } from '../../domain/ids.ts';
import type { ProtectedItemId } from '../../domain/ids.ts';
import { blobNames } from '../../domain/names.ts';
import type { VaultKey, VaultStorage } from '../../domain/ports.ts';
import { createVaultStorage, ensureContainer } from '../../providers/azure/storage/vault-storage.ts';
import { createFileVaultKey, createVaultKeyFile } from '../../providers/vault/file-vault-key.ts';
import { startAzurite } from '../providers/azure/support/azurite.ts';
import type { Azurite } from '../providers/azure/support/azurite.ts';

let azurite: Azurite;
let storage: VaultStorage;
let folder: string;
let vaultKey: VaultKey;
let items = 0;

beforeAll(async () => {
  azurite = await startAzurite();
  const options = azurite.storage('keys');
  await ensureContainer(options);
  storage = createVaultStorage(options);
  folder = await mkdtemp(path.join(tmpdir(), 'switchback-keys-'));
  vaultKey = await newVaultKey('vault.key');
});

afterAll(async () => {
  await azurite.stop();
  await rm(folder, { recursive: true, force: true });
});

async function newVaultKey(name: string): Promise<VaultKey> {
  const file = path.join(folder, name);
  await createVaultKeyFile(file);
  return createFileVaultKey(file);
}

function newItem(): ProtectedItemId {
  items += 1;
  return asId<ProtectedItemId>(`item-${items}`);
}

test('a key is made once and opened again', async () => {
  const item = newItem();
  const made = await ensureItemKey(storage, vaultKey, item);
  expect((await ensureItemKey(storage, vaultKey, item)).id).toBe(made.id);
  expect((await openItemKey(storage, vaultKey, item)).id).toBe(made.id);
});

test('a new key demands signed records; one sealed before there were signatures does not', async () => {
  expect((await ensureItemKey(storage, vaultKey, newItem())).signsRecords).toBe(true);
  const item = newItem();
  const sealed = Buffer.from(await vaultKey.seal(Buffer.alloc(32, 7), `item-key/${item}`)).toString('base64');
  const wrapped = { version: 1, itemId: item, keyId: vaultKey.keyId, sealed };
  await storage.putOnce(blobNames.key(item), Buffer.from(JSON.stringify(wrapped)));
  expect((await openItemKey(storage, vaultKey, item)).signsRecords).toBe(false);
});

test('racing attempts end with the same key', async () => {
  const item = newItem();
  const keys = await Promise.all([1, 2, 3, 4].map(() => ensureItemKey(storage, vaultKey, item)));
  expect(new Set(keys.map((key) => key.id)).size).toBe(1);
});

test('two items have two keys', async () => {
  const one = await ensureItemKey(storage, vaultKey, newItem());
  const other = await ensureItemKey(storage, vaultKey, newItem());
  expect(one.id).not.toBe(other.id);
});

test('a key sealed by another vault key is missing, and is not replaced', async () => {
  const item = newItem();
  const other = await newVaultKey('other.key');
  const sealed = await ensureItemKey(storage, other, item);
  await expect(ensureItemKey(storage, vaultKey, item)).rejects.toMatchObject({ code: 'DR_KEY_MISSING' });
  expect((await openItemKey(storage, other, item)).id).toBe(sealed.id);
});

test('a key that does not exist, or is altered, or is another item’s, is missing', async () => {
  const item = newItem();
  await expect(openItemKey(storage, vaultKey, item)).rejects.toMatchObject({ code: 'DR_KEY_MISSING' });
  await storage.putOnce(blobNames.key(item), Buffer.from('{"version":1}'));
  await expect(openItemKey(storage, vaultKey, item)).rejects.toMatchObject({ code: 'DR_KEY_MISSING' });

  const [theirs, mine] = [newItem(), newItem()];
  await ensureItemKey(storage, vaultKey, theirs);
  const stored = await storage.get(blobNames.key(theirs));
  const renamed = Buffer.from(stored?.body ?? [])
    .toString()
    .replace(theirs, mine);
  await storage.putOnce(blobNames.key(mine), Buffer.from(renamed));
  await expect(openItemKey(storage, vaultKey, mine)).rejects.toMatchObject({ code: 'DR_KEY_MISSING' });
});
