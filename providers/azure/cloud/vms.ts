/** Virtual machines made of imported disks: no image, no OS profile, nothing inside the guest is touched. */
import { setTimeout as sleep } from 'node:timers/promises';
import { restorePoller } from '@azure/arm-compute';
import type { VirtualMachine } from '@azure/arm-compute';
import type { AzureVm, Cloud, OnProgress, RunScope } from '../../../domain/ports.ts';
import { call, getOrNull } from './clients.ts';
import type { Clients } from './clients.ts';
import { failureError } from './errors.ts';
import { awaitStep, beginStep } from './operation.ts';
import { tagsOf } from './ownership.ts';
import { nameOf, parseResourceId, resourceIdOf } from './resource-id.ts';

type VmRequest = Parameters<Cloud['beginVm']>[1];

/** A guest that turns itself off again that often is not prepared for Azure. */
const STARTS_MAX = 3;
/** Disks and interfaces outlive their VM: a VM that is made again must find them. The run's group takes all away. */
const ON_VM_DELETE = 'Detach';
const OFF_STATES: readonly string[] = ['stopped', 'deallocated'];

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
      return awaitRunning(clients, begun.resourceId, onProgress, signal);
    },
    vm: (resourceId) => readVm(clients, resourceId),
  };
}

function vmBody(scope: RunScope, vm: VmRequest): VirtualMachine {
  const [osDiskId, ...dataDiskIds] = vm.diskIds;
  if (osDiskId === undefined) throw new Error(`virtual machine ${vm.name} has no disk`);
  return {
    location: scope.location,
    tags: tagsOf(scope),
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

/** A machine that is off is started: it may have been stopped between two attempts of the step. */
async function awaitRunning(
  clients: Clients,
  resourceId: string,
  onProgress: OnProgress,
  signal: AbortSignal,
): Promise<AzureVm> {
  const { group, name } = parseResourceId(resourceId);
  const facts = { attempted: `start virtual machine ${name}` };
  for (let starts = 0; ;) {
    signal.throwIfAborted();
    const vm = await readVm(clients, resourceId);
    if (vm === null) {
      throw failureError(facts, { status: null, code: 'ResourceNotFound', message: 'the machine is gone' });
    }
    if (vm.powerState === 'running') return vm;
    if (OFF_STATES.includes(vm.powerState)) {
      if (starts === STARTS_MAX) {
        const message = `it was found ${vm.powerState} after ${STARTS_MAX} starts`;
        throw failureError(facts, { status: null, code: 'VMDoesNotStay', message });
      }
      starts += 1;
      const interval = { updateIntervalInMs: clients.pollIntervalMs };
      const start = () => clients.compute.virtualMachines.start(group, name, interval);
      await call(facts, () => start().pollUntilDone({ abortSignal: signal }), signal);
    }
    onProgress();
    await sleep(clients.pollIntervalMs, undefined, { signal });
  }
}

async function readVm(clients: Clients, resourceId: string): Promise<AzureVm | null> {
  const { group, name } = parseResourceId(resourceId);
  const vm = await getOrNull({ attempted: `look at virtual machine ${name}` }, () =>
    clients.compute.virtualMachines.get(group, name, { expand: 'instanceView' }),
  );
  if (vm === null) return null;
  const code = vm.instanceView?.statuses?.find((status) => status.code?.startsWith('PowerState/'))?.code;
  return {
    resourceId,
    provisioningState: vm.provisioningState ?? 'unknown',
    powerState: code === undefined ? 'unknown' : nameOf(code),
  };
}
