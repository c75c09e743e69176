/** The vault as the product's processes open it: container, key file, data key of each stream. */
import { access } from 'node:fs/promises';
import { createVaultStorage, ensureContainer } from '../../providers/azure/storage/vault-storage.ts';
import { createFileVaultKey, createVaultKeyFile } from '../../providers/vault/file-vault-key.ts';
import { Secret } from '../../domain/ports.ts';
import type { VaultKey, VaultStorage } from '../../domain/ports.ts';

const CONTAINER = 'vault';

export interface VaultPlace {
  readonly accountUrl: string;
  readonly accountName: string;
  readonly accountKey: string;
  readonly keyFile: string;
  readonly cacheFolder: string;
}

export interface OpenVault {
  readonly storage: VaultStorage;
  readonly vaultKey: VaultKey;
}

export async function openVault(place: VaultPlace): Promise<OpenVault> {
  const options = {
    accountUrl: place.accountUrl,
    container: CONTAINER,
    credential: {
      kind: 'sharedKey' as const,
      accountName: place.accountName,
      key: new Secret(place.accountKey),
    },
  };
  await ensureContainer(options);
  const isThere = await access(place.keyFile).then(
    () => true,
    () => false,
  );
  if (!isThere) await createVaultKeyFile(place.keyFile);
  return { storage: createVaultStorage(options), vaultKey: await createFileVaultKey(place.keyFile) };
}
