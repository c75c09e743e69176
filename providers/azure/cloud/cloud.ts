/** `Cloud` on Azure Resource Manager. */
import type { Cloud } from '../../../domain/ports.ts';
import { createClients } from './clients.ts';
import type { CloudOptions } from './clients.ts';
import { createDisks } from './disks.ts';
import { createGroups } from './groups.ts';
import { readSubnet } from './networks.ts';
import { createNics } from './nics.ts';
import { createSizes } from './sizes.ts';
import { createVms } from './vms.ts';

export type { CloudOptions } from './clients.ts';

/** Sends nothing before the first method is called. */
export function createCloud(options: CloudOptions): Cloud {
  const clients = createClients(options);
  return {
    ...createSizes(clients),
    subnet: (subnetId) => readSubnet(clients, subnetId),
    ...createGroups(clients),
    ...createDisks(clients),
    ...createNics(clients),
    ...createVms(clients),
  };
}
