/** Power of virtual machines: what they are, and the two states the product brings them to. */
import { setTimeout as sleep } from 'node:timers/promises';
import { restorePoller } from '@azure/arm-compute';
import type { VirtualMachine } from '@azure/arm-compute';
import type { AzureVm, BegunOperation, Cloud, OnProgress, RunScope } from '../../../domain/ports.ts';
import { getOrNull } from './clients.ts';
import type { Clients } from './clients.ts';
import { failureError } from './errors.ts';
import { awaitPoller, gone, runToEnd, submit } from './operation.ts';
import type { Poller } from './operation.ts';
import { refuseForeign } from './ownership.ts';
import { nameOf, parseResourceId } from './resource-id.ts';

type Target = 'running' | 'deallocated';

const targets = {
  /** A machine that is off is started: it may have been stopped between two attempts of the step. */
  running: { verb: 'start', from: ['stopped', 'deallocated'] },
  /** A stopped machine still holds its hardware, and one that runs was started again behind our back. */
  deallocated: { verb: 'deallocate', from: ['running', 'stopped'] },
} as const satisfies Record<Target, { readonly verb: string; readonly from: readonly string[] }>;

/** A guest that turns itself off again that often is not prepared for Azure. */
const TRIES_MAX = 3;

type PowerCalls = Pick<Cloud, 'beginDeallocate' | 'awaitDeallocated' | 'beginStart'>;

export function createPower(clients: Clients): PowerCalls {
  const { virtualMachines } = clients.compute;
  return {
    beginDeallocate: (scope, vmId) => beginPower(clients, scope, vmId, 'deallocated'),
    beginStart: (scope, vmId) => beginPower(clients, scope, vmId, 'running'),
    async awaitDeallocated(begun, onProgress, signal) {
      await awaitPoller(clients, {
        facts: factsOf(begun.resourceId, 'deallocated'),
        poller: begun.poller,
        restore: (state) =>
          restorePoller(clients.compute, state, virtualMachines.deallocate, {
            updateIntervalInMs: clients.pollIntervalMs,
          }),
        onProgress,
        signal,
      });
      return awaitPowerState(clients, begun.resourceId, 'deallocated', onProgress, signal);
    },
  };
}

async function beginPower(
  clients: Clients,
  scope: RunScope,
  vmId: string,
  target: Target,
): Promise<BegunOperation> {
  const facts = factsOf(vmId, target);
  const found = await getVm(clients, vmId);
  if (found === null) return { resourceId: vmId, poller: null };
  refuseForeign(scope, vmId, found.tags);
  if (powerStateOf(found) === target) return { resourceId: vmId, poller: null };
  return { resourceId: vmId, poller: await submit(facts, () => changePower(clients, vmId, target)) };
}

function changePower(clients: Clients, vmId: string, target: Target): Poller {
  const { group, name } = parseResourceId(vmId);
  const interval = { updateIntervalInMs: clients.pollIntervalMs };
  return clients.compute.virtualMachines[targets[target].verb](group, name, interval);
}

/** Asks again, a few times, when the machine is found in a state that does not lead there. */
export async function awaitPowerState(
  clients: Clients,
  resourceId: string,
  target: Target,
  onProgress: OnProgress,
  signal: AbortSignal,
): Promise<AzureVm> {
  const { verb, from } = targets[target];
  const facts = factsOf(resourceId, target);
  for (let tries = 0; ;) {
    signal.throwIfAborted();
    const vm = await readVm(clients, resourceId);
    if (vm === null) throw failureError(facts, gone);
    if (vm.powerState === target) return vm;
    if (from.some((state) => state === vm.powerState)) {
      if (tries === TRIES_MAX) {
        const message = `it was found ${vm.powerState} after ${TRIES_MAX} times "${verb}"`;
        throw failureError(facts, { status: null, code: 'VMDoesNotStay', message });
      }
      tries += 1;
      await runToEnd(facts, changePower(clients, resourceId, target), onProgress, signal);
    }
    onProgress();
    await sleep(clients.pollIntervalMs, undefined, { signal });
  }
}

export async function readVm(clients: Clients, resourceId: string): Promise<AzureVm | null> {
  const vm = await getVm(clients, resourceId);
  return vm === null
    ? null
    : {
        resourceId,
        provisioningState: vm.provisioningState ?? 'unknown',
        powerState: powerStateOf(vm),
      };
}

function getVm(clients: Clients, resourceId: string): Promise<VirtualMachine | null> {
  const { group, name } = parseResourceId(resourceId);
  return getOrNull({ attempted: `look at virtual machine ${name}` }, () =>
    clients.compute.virtualMachines.get(group, name, { expand: 'instanceView' }),
  );
}

function powerStateOf(vm: VirtualMachine): string {
  const code = vm.instanceView?.statuses?.find((status) => status.code?.startsWith('PowerState/'))?.code;
  return code === undefined ? 'unknown' : nameOf(code);
}

function factsOf(vmId: string, target: Target): { readonly attempted: string } {
  return { attempted: `${targets[target].verb} virtual machine ${nameOf(vmId)}` };
}
