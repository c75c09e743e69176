/** Managed disks imported from VHD page blobs. */
import { restorePoller } from '@azure/arm-compute';
import type { Disk } from '@azure/arm-compute';
import type { BegunOperation, Cloud, DiskType } from '../../../domain/ports.ts';
import { call, collect, getOrNull } from './clients.ts';
import type { Clients } from './clients.ts';
import { awaitStep, beginStep } from './operation.ts';
import { tagsOf } from './ownership.ts';
import { parseResourceId, resourceIdOf } from './resource-id.ts';

/** Every VM size can attach it; premium disks would rule sizes out before the size is known. */
const DISK_TYPE: DiskType = 'Standard_LRS';

export function createDisks(clients: Clients): Pick<Cloud, 'beginDiskImport' | 'awaitDisk' | 'disk'> {
  const { disks } = clients.compute;
  return {
    async beginDiskImport(scope, disk): Promise<BegunOperation> {
      const { resourceGroup, location } = scope;
      const body: Disk = {
        location,
        tags: tagsOf(scope, disk.tags),
        sku: { name: disk.diskType ?? DISK_TYPE },
        ...(disk.zone === undefined ? {} : { zones: [disk.zone] }),
        ...(disk.isOsDisk ? { osType: disk.osType, hyperVGeneration: disk.generation } : {}),
        creationData: {
          createOption: 'Import',
          sourceUri: disk.sourceUrl,
          ...(await storageAccountOf(clients, disk.sourceUrl)),
        },
      };
      return beginStep(scope, {
        facts: { attempted: `import disk ${disk.name}`, location },
        resourceId: resourceIdOf(clients.subscriptionId, resourceGroup, 'Microsoft.Compute/disks', disk.name),
        get: () => disks.get(resourceGroup, disk.name),
        put: () => disks.createOrUpdate(resourceGroup, disk.name, body),
        remove: () => disks.delete(resourceGroup, disk.name, { updateIntervalInMs: clients.pollIntervalMs }),
      });
    },
    async awaitDisk(begun, onProgress, signal) {
      const { group, name } = parseResourceId(begun.resourceId);
      const disk = await awaitStep(clients, {
        facts: { attempted: `import disk ${name}` },
        begun,
        restore: (state) =>
          restorePoller(clients.compute, state, disks.createOrUpdate, {
            updateIntervalInMs: clients.pollIntervalMs,
          }),
        get: () => disks.get(group, name),
        onProgress,
        signal,
      });
      return { resourceId: begun.resourceId, bytes: disk.diskSizeBytes ?? 0 };
    },
    async disk(resourceId) {
      const { group, name } = parseResourceId(resourceId);
      const disk = await getOrNull({ attempted: `look at disk ${name}` }, () => disks.get(group, name));
      return disk === null
        ? null
        : {
            resourceId,
            bytes: disk.diskSizeBytes ?? 0,
            uniqueId: disk.uniqueId ?? '',
            attachedTo: disk.managedBy ?? null,
          };
    },
  };
}

/**
 * Azure asks for the account's id beside the blob's URL. An account that our role cannot see is left out: Azure
 * then looks for it in the disk's own subscription.
 */
async function storageAccountOf(clients: Clients, sourceUrl: string): Promise<{ storageAccountId?: string }> {
  const name = accountNameIn(new URL(sourceUrl));
  const filter = `resourceType eq 'Microsoft.Storage/storageAccounts' and name eq '${name}'`;
  const [id] = await call({ attempted: `find storage account ${name}` }, () =>
    collect(clients.resources.resources.list({ filter }), (found) => found.id ?? null),
  );
  return id === undefined ? {} : { storageAccountId: id };
}

/** First label of the host; first folder where the host is an address, as with an account under a custom one. */
function accountNameIn(url: URL): string {
  const isAddress = /^[\d.]+$|^\[|^localhost$/.test(url.hostname);
  return (isAddress ? url.pathname.split('/')[1] : url.hostname.split('.')[0]) ?? '';
}
