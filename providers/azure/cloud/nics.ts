/** Network interfaces: one private address each, never a public one. */
import { restorePoller } from '@azure/arm-network';
import type { NetworkInterface } from '@azure/arm-network';
import { DrError } from '../../../domain/errors.ts';
import type { Cloud } from '../../../domain/ports.ts';
import type { Clients } from './clients.ts';
import { awaitStep, beginStep } from './operation.ts';
import { tagsOf } from './ownership.ts';
import { parseResourceId, resourceIdOf } from './resource-id.ts';

export function createNics(clients: Clients): Pick<Cloud, 'beginNic' | 'awaitNic'> {
  const { networkInterfaces } = clients.network;
  return {
    beginNic(scope, nic) {
      const { resourceGroup, location } = scope;
      const address = nic.privateIpAddress;
      const body: NetworkInterface = {
        location,
        tags: tagsOf(scope),
        ipConfigurations: [
          {
            name: 'ipconfig1',
            primary: true,
            subnet: { id: nic.subnetId },
            ...(address === undefined
              ? { privateIPAllocationMethod: 'Dynamic' }
              : { privateIPAllocationMethod: 'Static', privateIPAddress: address }),
          },
        ],
      };
      return beginStep(scope, {
        facts: {
          attempted: `create network interface ${nic.name}`,
          location,
          subnet: nic.subnetId,
          address,
        },
        resourceId: resourceIdOf(
          clients.subscriptionId,
          resourceGroup,
          'Microsoft.Network/networkInterfaces',
          nic.name,
        ),
        get: () => networkInterfaces.get(resourceGroup, nic.name),
        put: () => networkInterfaces.createOrUpdate(resourceGroup, nic.name, body),
        remove: () =>
          networkInterfaces.delete(resourceGroup, nic.name, { updateIntervalInMs: clients.pollIntervalMs }),
      });
    },
    async awaitNic(begun, onProgress, signal) {
      const { group, name } = parseResourceId(begun.resourceId);
      const attempted = `create network interface ${name}`;
      const nic = await awaitStep(clients, {
        facts: { attempted },
        begun,
        restore: (state) =>
          restorePoller(clients.network, state, networkInterfaces.createOrUpdate, {
            updateIntervalInMs: clients.pollIntervalMs,
          }),
        get: () => networkInterfaces.get(group, name),
        onProgress,
        signal,
      });
      const privateIpAddress = nic.ipConfigurations?.[0]?.privateIPAddress;
      if (privateIpAddress === undefined) {
        const reason = 'the interface has no private address';
        throw new DrError('DR_AZURE_OPERATION_FAILED', { attempted, azureCode: 'NoAddress', reason });
      }
      return { resourceId: begun.resourceId, privateIpAddress };
    },
  };
}
