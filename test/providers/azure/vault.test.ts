import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { asId } from '../../../domain/ids.ts';
import type { VCenterId } from '../../../domain/ids.ts';
import { Secret } from '../../../domain/ports.ts';
import type { VaultKey, VaultStorage, VCenterConnection } from '../../../domain/ports.ts';
import { createVaultStorage, ensureContainer } from '../../../providers/azure/storage/vault-storage.ts';
import { createFileVaultKey, createVaultKeyFile } from '../../../providers/vault/file-vault-key.ts';
import { createVCenterDirectory } from '../../../providers/vault/vcenter-directory.ts';
import { startAzurite } from './support/azurite.ts';
import type { Azurite } from './support/azurite.ts';

let folder: string;
let key: VaultKey;
let otherKey: VaultKey;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'switchback-vault-'));
  key = await newKey('first.key');
  otherKey = await newKey('second.key');
});

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function newKey(name: string): Promise<VaultKey> {
  const file = path.join(folder, name);
  await createVaultKeyFile(file);
  return createFileVaultKey(file);
}

describe('vault key', () => {
  test('opens what it sealed, and only for the same context', async () => {
    const plain = randomBytes(100);
    const sealed = await key.seal(plain, 'item/1');
    expect(Buffer.compare(await key.open(sealed, 'item/1'), plain)).toBe(0);
    expect(Buffer.from(sealed).includes(plain)).toBe(false);
    await expect(key.open(sealed, 'item/2')).rejects.toMatchObject({ code: 'DR_KEY_MISSING' });
  });

  test('seals the same text differently each time', async () => {
    const plain = Buffer.from('password');
    expect(await key.seal(plain, 'x')).not.toEqual(await key.seal(plain, 'x'));
  });

  test('another key, a changed byte or a cut end is DR_KEY_MISSING', async () => {
    const sealed = Buffer.from(await key.seal(Buffer.from('data key'), 'x'));
    await expect(otherKey.open(sealed, 'x')).rejects.toMatchObject({
      code: 'DR_KEY_MISSING',
      context: { item: 'x', reason: expect.stringContaining(key.keyId) },
    });
    for (let index = 0; index < sealed.byteLength; index += 1) {
      const altered = Buffer.from(sealed);
      altered.writeUInt8(altered.readUInt8(index) ^ 1, index);
      await expect(key.open(altered, 'x')).rejects.toMatchObject({ code: 'DR_KEY_MISSING' });
    }
    for (const length of [0, 10, sealed.byteLength - 1]) {
      await expect(key.open(sealed.subarray(0, length), 'x')).rejects.toMatchObject({
        code: 'DR_KEY_MISSING',
      });
    }
  });

  test('a key file is readable by its owner only and never overwritten', async () => {
    const file = path.join(folder, 'first.key');
    const before = await readFile(file);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    await expect(createVaultKeyFile(file)).rejects.toMatchObject({ code: 'DR_CONFIG_INVALID' });
    expect(await readFile(file)).toEqual(before);
  });

  test('refuses a key file that is missing, short or open to others', async () => {
    const short = path.join(folder, 'short.key');
    await writeFile(short, 'short', { mode: 0o600 });
    const open = path.join(folder, 'open.key');
    await createVaultKeyFile(open);
    await chmod(open, 0o644);
    for (const file of [short, open, path.join(folder, 'missing.key')]) {
      await expect(createFileVaultKey(file)).rejects.toMatchObject({ code: 'DR_CONFIG_INVALID' });
    }
  });
});

describe('vCenter directory', () => {
  let azurite: Azurite;
  let storage: VaultStorage;
  const password = 'Pa55-wörd-of-the-lab';
  const connection: VCenterConnection = {
    id: asId<VCenterId>('berlin'),
    url: 'https://vcenter.example:8443',
    username: 'replicator@vsphere.local',
    password: new Secret(password),
    certificate: { sha256: Array.from({ length: 32 }, () => 'AB').join(':'), pem: 'PEM' },
  };

  beforeAll(async () => {
    azurite = await startAzurite();
    await ensureContainer(azurite.storage('vault'));
    storage = createVaultStorage(azurite.storage('vault'));
  });

  afterAll(async () => {
    await azurite.stop();
  });

  async function storedText(): Promise<string> {
    return Buffer.from((await storage.get('vcenters/berlin.json'))?.body ?? []).toString('utf8');
  }

  test('another process with the same key gets the connection back', async () => {
    await createVCenterDirectory(storage, key).save(connection);
    const loaded = await createVCenterDirectory(storage, key).load(connection.id);
    expect(loaded.password.reveal()).toBe(password);
    expect({ ...loaded, password: null }).toEqual({ ...connection, password: null });
  });

  test('the password shows neither in the stored blob nor when printed', async () => {
    const directory = createVCenterDirectory(storage, key);
    await directory.save(connection);
    const loaded = await directory.load(connection.id);
    const encoded = Buffer.from(password).toString('base64');
    for (const shown of [await storedText(), inspect(loaded), JSON.stringify(loaded)]) {
      expect(shown).not.toContain(password);
      expect(shown).not.toContain(encoded);
    }
  });

  test('an unknown vCenter and a wrong key have their own codes', async () => {
    await createVCenterDirectory(storage, key).save(connection);
    const directory = createVCenterDirectory(storage, otherKey);
    await expect(directory.load(connection.id)).rejects.toMatchObject({ code: 'DR_KEY_MISSING' });
    await expect(directory.load(asId<VCenterId>('paris'))).rejects.toMatchObject({
      code: 'DR_VCENTER_UNKNOWN',
    });
  });

  test('a removed vCenter is unknown, and removing it again is done', async () => {
    const directory = createVCenterDirectory(storage, key);
    await directory.save(connection);
    await directory.remove(connection.id);
    await directory.remove(connection.id);
    await expect(directory.load(connection.id)).rejects.toMatchObject({ code: 'DR_VCENTER_UNKNOWN' });
  });

  test('a blob altered to send the password elsewhere does not open', async () => {
    const directory = createVCenterDirectory(storage, key);
    await directory.save(connection);
    const altered = (await storedText()).replace('vcenter.example', 'attacker.example');
    await storage.put('vcenters/berlin.json', Buffer.from(altered));
    await expect(directory.load(connection.id)).rejects.toMatchObject({ code: 'DR_KEY_MISSING' });
  });

  test('a blob that is not a vCenter record is refused before anything is opened', async () => {
    await storage.put('vcenters/berlin.json', Buffer.from('{"version":1}'));
    await expect(createVCenterDirectory(storage, key).load(connection.id)).rejects.toMatchObject({
      code: 'DR_INTERNAL',
    });
  });
});
