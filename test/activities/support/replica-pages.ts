/** The page blob of a replica, for what the product never does: to alter it behind its back. */
import { ContainerClient, StorageSharedKeyCredential, type PageBlobClient } from '@azure/storage-blob';
import type { ItemSpec } from '../../../domain/machine.ts';
import { blobNames } from '../../../domain/names.ts';
import type { Azurite } from '../../providers/azure/support/azurite.ts';

/** Of container `vault`; nobody may hold the lease just then. */
export function replicaPages(azurite: Azurite, item: ItemSpec, diskIndex = 0): PageBlobClient {
  const { accountUrl, container, credential } = azurite.storage('vault');
  if (credential.kind !== 'sharedKey') throw new Error('the emulator has a key');
  const key = new StorageSharedKeyCredential(credential.accountName, credential.key.reveal());
  const disk = item.disks[diskIndex];
  if (disk === undefined) throw new Error(`there is no disk ${diskIndex}`);
  const blob = blobNames.replica(item.itemId, disk.diskId);
  return new ContainerClient(`${accountUrl}/${container}`, key).getPageBlobClient(blob);
}
