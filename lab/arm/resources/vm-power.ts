import type { Answer, ArmRequest } from '../http.ts';
import type { OperationKind } from '../lro.ts';
import { begun } from '../lro.ts';
import type { JsonObject, PowerState, Vm } from '../model.ts';
import type { Handler } from '../router.ts';
import type { Simulator } from '../simulator.ts';
import { requireIdle, requireOf, requireWritableGroup } from './common.ts';
import { refuseWhileShared } from './sharing.ts';

const TYPE = 'Microsoft.Compute/virtualMachines';
const requireVm = requireOf(TYPE);

interface PowerAction {
  readonly during: PowerState;
  readonly after: PowerState;
}

const actions = {
  start: { during: 'starting', after: 'running' },
  restart: { during: 'starting', after: 'running' },
  powerOff: { during: 'stopping', after: 'stopped' },
  deallocate: { during: 'deallocating', after: 'deallocated' },
} as const satisfies Record<string, PowerAction>;

export type PowerActionName = keyof typeof actions;

/** A POST that changes the power state; 202, joined when the same action is under way. */
export function powerAction(name: PowerActionName): Handler {
  return (simulator, request) => beginPower(simulator, request, name);
}

function beginPower(simulator: Simulator, request: ArmRequest, name: PowerActionName): Answer {
  requireWritableGroup(simulator, request);
  const vm = requireVm(simulator, request);
  const kind = `vm.${name}`;
  const running = simulator.lro.inProgress(vm.id);
  if (running?.kind === kind) return begun(simulator, running, { status: 202 });
  requireIdle(simulator, vm.id);
  const from = vm.facts.power;
  if (actions[name].after === 'running') {
    for (const { id } of vm.facts.disks) refuseWhileShared(simulator.store.resource(id));
  }
  const isThere = staysAs(name, from);
  const operation = simulator.lro.begin({
    kind,
    resourceId: vm.id,
    location: vm.location,
    provider: 'Microsoft.Compute',
    request,
    durationMs: isThere ? 0 : simulator.store.settings.vmStartMs,
    detail: { from, to: isThere ? from : actions[name].after },
    changes: [{ put: withPower(vm, isThere ? from : actions[name].during, 'Updating') }],
  });
  return begun(simulator, operation, { status: 202 });
}

/** A running VM is not started, a deallocated one not powered off. */
function staysAs(name: PowerActionName, from: PowerState): boolean {
  if (name === 'restart') return false;
  return from === actions[name].after || (name === 'powerOff' && from === 'deallocated');
}

export const vmPower: OperationKind = {
  finish: (simulator, operation) => {
    const vm = simulator.store.find(TYPE, operation.resourceId);
    const to = operation.detail.to as PowerState;
    return { changes: vm === undefined ? [] : [{ put: withPower(vm, to, 'Succeeded') }] };
  },
  fail: (simulator, operation) => {
    const vm = simulator.store.find(TYPE, operation.resourceId);
    const from = operation.detail.from as PowerState;
    return vm === undefined ? [] : [{ put: withPower(vm, from, 'Failed') }];
  },
};

function withPower(vm: Vm, power: PowerState, state: Vm['state']): Vm {
  const powerSince = power === vm.facts.power ? vm.facts.powerSince : new Date().toISOString();
  return { ...vm, state, facts: { ...vm.facts, power, powerSince } };
}

/** An imported disk carries no VM agent, so none reports. */
export function instanceView(vm: Vm): JsonObject {
  const { power, powerSince, disks } = vm.facts;
  const state = vm.state.toLowerCase();
  return {
    disks: disks.map(({ id }) => ({
      name: id.split('/').at(-1) ?? '',
      statuses: [
        { code: 'ProvisioningState/succeeded', level: 'Info', displayStatus: 'Provisioning succeeded' },
      ],
    })),
    vmAgent: {
      vmAgentVersion: 'Unknown',
      statuses: [{ code: 'ProvisioningState/Unavailable', level: 'Warning', displayStatus: 'Not Ready' }],
    },
    statuses: [
      {
        code: `ProvisioningState/${state}`,
        level: state === 'failed' ? 'Error' : 'Info',
        displayStatus: `Provisioning ${state}`,
        time: powerSince,
      },
      { code: `PowerState/${power}`, level: 'Info', displayStatus: `VM ${power}` },
    ],
  };
}
