/** `Cloud` on Azure Resource Manager. */
import type { Cloud } from '../../../domain/ports.ts';
import { createAvailabilitySets } from './availability-sets.ts';
import { createClients } from './clients.ts';
import type { CloudOptions } from './clients.ts';
import { createDeletion } from './deletion.ts';
import { createDisks } from './disks.ts';
import { createGroups } from './groups.ts';
import { readSubnet } from './networks.ts';
import { createNics } from './nics.ts';
import { createPower } from './power.ts';
import { createSizes } from './sizes.ts';
import { createSnapshotSources } from './snapshot-source.ts';
import { createSnapshots } from './snapshots.ts';
import { createVms } from './vms.ts';

export type { CloudOptions } from './clients.ts';

/** Sends nothing before the first method is called. */
export function createCloud(options: CloudOptions): Cloud {
  const clients = createClients(options);
  return {
    ...createSizes(clients),
    subnet: (subnetId) => readSubnet(clients, subnetId),
    ...createGroups(clients),
    ...createDeletion(clients),
    ...createDisks(clients),
    ...createNics(clients),
    ...createVms(clients),
    ...createPower(clients),
    ...createSnapshots(clients),
    ...createSnapshotSources(clients),
    ...createAvailabilitySets(clients),
  };
}
