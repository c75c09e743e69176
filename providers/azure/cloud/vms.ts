/** Virtual machines made of imported disks: no image, no OS profile, nothing inside the guest is touched. */
import { restorePoller } from '@azure/arm-compute';
import type { VirtualMachine } from '@azure/arm-compute';
import type { Cloud, RunScope } from '../../../domain/ports.ts';
import { getOrNull } from './clients.ts';
import type { Clients } from './clients.ts';
import { awaitStep, beginStep } from './operation.ts';
import { tagsOf } from './ownership.ts';
import { awaitPowerState, readVm } from './power.ts';
import { parseResourceId, resourceIdOf } from './resource-id.ts';

type VmRequest = Parameters<Cloud['beginVm']>[1];

/** Disks and interfaces outlive their VM: a VM that is made again must find them. The run's group takes all away. */
const ON_VM_DELETE = 'Detach';

export function createVms(clients: Clients): Pick<Cloud, 'beginVm' | 'awaitVmRunning' | 'vm'> {
  const { virtualMachines } = clients.compute;
  return {
    beginVm(scope, vm) {
      const { resourceGroup, location } = scope;
      return beginStep(scope, {
        facts: { attempted: `create virtual machine ${vm.name}`, location, size: vm.size },
        resourceId: resourceIdOf(
          clients.subscriptionId,
          resourceGroup,
          'Microsoft.Compute/virtualMachines',
          vm.name,
        ),
        get: () => virtualMachines.get(resourceGroup, vm.name),
        put: () => virtualMachines.createOrUpdate(resourceGroup, vm.name, vmBody(scope, vm)),
        remove: () =>
          virtualMachines.delete(resourceGroup, vm.name, { updateIntervalInMs: clients.pollIntervalMs }),
      });
    },
    async awaitVmRunning(begun, onProgress, signal) {
      const { group, name } = parseResourceId(begun.resourceId);
      const known = await getOrNull({ attempted: `look at virtual machine ${name}` }, () =>
        virtualMachines.get(group, name),
      );
      await awaitStep(clients, {
        facts: {
          attempted: `create virtual machine ${name}`,
          ...(known === null ? {} : { location: known.location }),
          ...(known?.hardwareProfile?.vmSize === undefined ? {} : { size: known.hardwareProfile.vmSize }),
        },
        begun,
        restore: (state) =>
          restorePoller(clients.compute, state, virtualMachines.createOrUpdate, {
            updateIntervalInMs: clients.pollIntervalMs,
          }),
        get: () => virtualMachines.get(group, name),
        onProgress,
        signal,
      });
      return awaitPowerState(clients, begun.resourceId, 'running', onProgress, signal);
    },
    vm: (resourceId) => readVm(clients, resourceId),
  };
}

function vmBody(scope: RunScope, vm: VmRequest): VirtualMachine {
  const [osDiskId, ...dataDiskIds] = vm.diskIds;
  if (osDiskId === undefined) throw new Error(`virtual machine ${vm.name} has no disk`);
  return {
    location: scope.location,
    tags: tagsOf(scope, vm.tags),
    ...(vm.zone === undefined ? {} : { zones: [vm.zone] }),
    ...(vm.availabilitySetId === undefined ? {} : { availabilitySet: { id: vm.availabilitySetId } }),
    hardwareProfile: { vmSize: vm.size },
    storageProfile: {
      osDisk: {
        createOption: 'Attach',
        osType: vm.osType,
        managedDisk: { id: osDiskId },
        caching: 'ReadWrite',
        deleteOption: ON_VM_DELETE,
      },
      dataDisks: dataDiskIds.map((id, lun) => ({
        lun,
        createOption: 'Attach',
        managedDisk: { id },
        caching: 'None',
        deleteOption: ON_VM_DELETE,
      })),
    },
    networkProfile: {
      networkInterfaces: [{ id: vm.nicId, primary: true, deleteOption: ON_VM_DELETE }],
    },
    diagnosticsProfile: { bootDiagnostics: { enabled: true } },
    // Imported disks carry no Trusted Launch state; newer defaults would ask for it.
    securityProfile: { securityType: 'Standard' },
  };
}
