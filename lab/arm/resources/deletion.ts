import type { Answer, ArmRequest } from '../http.ts';
import { ArmError } from '../http.ts';
import type { OperationKind } from '../lro.ts';
import { begun } from '../lro.ts';
import type { Resource, ResourceType } from '../model.ts';
import type { Simulator } from '../simulator.ts';
import type { Change } from '../store.ts';
import { requireWritableGroup, resourceId, sameId } from './common.ts';
import { refuseWhileShared } from './sharing.ts';

/** DELETE of one resource: 204 when absent; a deletion under way is joined; anything else running is preempted. */
export function deleteResource(simulator: Simulator, request: ArmRequest, type: ResourceType): Answer {
  const id = resourceId(simulator, request, type);
  const resource = simulator.store.find(type, id);
  if (resource === undefined) return { status: 204 };
  requireWritableGroup(simulator, request);
  const running = simulator.lro.inProgress(id);
  if (running?.kind === 'resource.delete') return begun(simulator, running, { status: 202 });
  refuseWhenInUse(simulator, resource);
  refuseWhileShared(resource);
  const operation = simulator.lro.begin({
    kind: 'resource.delete',
    resourceId: resource.id,
    location: resource.location,
    provider: resource.type.split('/')[0] ?? '',
    request,
    durationMs: simulator.store.settings.deleteMs,
    changes: [...simulator.lro.preempt([id]), { put: { ...resource, state: 'Deleting' } }],
  });
  return begun(simulator, operation, { status: 202 });
}

export const resourceDelete: OperationKind = {
  finish: (simulator, operation) => {
    const resource = simulator.store.resource(operation.resourceId);
    if (resource === undefined) return { changes: [] };
    refuseWhenInUse(simulator, resource);
    refuseWhileShared(resource);
    return { changes: removalOf(simulator, resource) };
  },
  after: (simulator) => sweepBytes(simulator),
};

/** A VM takes along its children, and the disks and NICs whose deleteOption says so. */
function removalOf(simulator: Simulator, resource: Resource): Change[] {
  if (resource.type !== 'Microsoft.Compute/virtualMachines') return [{ remove: resource.id }];
  const owned = [...resource.facts.disks, ...resource.facts.nics].filter(
    ({ deleteOption }) => deleteOption === 'Delete',
  );
  const children = simulator.store
    .resources()
    .filter(({ id }) => id.toLowerCase().startsWith(`${resource.id}/`.toLowerCase()));
  return [resource.id, ...[...owned, ...children].map(({ id }) => id)].flatMap((id) =>
    simulator.store.resource(id) === undefined ? [] : [{ remove: id }],
  );
}

/** Removes the files of deleted disks and of operations that did not end well. */
export function sweepBytes(simulator: Simulator): Promise<void> {
  return simulator.bytes.keepOnly(() => bytesInUse(simulator));
}

function bytesInUse(simulator: Simulator): Set<string> {
  const disks = [
    ...simulator.store.ofType('Microsoft.Compute/disks'),
    ...simulator.store.ofType('Microsoft.Compute/snapshots'),
  ];
  const working = simulator.store
    .operations()
    .filter(({ status }) => status === 'InProgress')
    .map(({ id }) => id);
  return new Set([...disks.flatMap(({ facts }) => facts.layers), ...working]);
}

function refuseWhenInUse(simulator: Simulator, resource: Resource): void {
  const user = userOf(simulator, resource);
  if (user === null) return;
  throw new ArmError(
    user.status,
    user.code,
    `${resource.id} is used by existing resource ${user.id}. It must be dissociated from that resource before it can be deleted.`,
  );
}

interface User {
  readonly id: string;
  readonly status: number;
  readonly code: string;
}

const users: Readonly<Partial<Record<ResourceType, (simulator: Simulator, id: string) => User | null>>> = {
  'Microsoft.Compute/disks': (simulator, diskId) => {
    const vm = simulator.store
      .ofType('Microsoft.Compute/virtualMachines')
      .find(({ facts }) => facts.disks.some(({ id }) => sameId(id, diskId)));
    return vm === undefined ? null : { id: vm.id, status: 409, code: 'OperationNotAllowed' };
  },
  'Microsoft.Network/networkInterfaces': (simulator, nicId) => {
    const vm = simulator.store
      .ofType('Microsoft.Compute/virtualMachines')
      .find(({ facts }) => facts.nics.some(({ id }) => sameId(id, nicId)));
    return vm === undefined ? null : { id: vm.id, status: 400, code: 'NicInUse' };
  },
  'Microsoft.Network/virtualNetworks': (simulator, networkId) => {
    const prefix = `${networkId.toLowerCase()}/subnets/`;
    const nic = simulator.store
      .ofType('Microsoft.Network/networkInterfaces')
      .find(({ facts }) => facts.addresses.some(({ subnetId }) => subnetId.toLowerCase().startsWith(prefix)));
    return nic === undefined ? null : { id: nic.id, status: 400, code: 'InUseSubnetCannotBeDeleted' };
  },
};

/** The resource that keeps another from being deleted, and the error Azure gives for it. */
export function userOf(simulator: Simulator, resource: Resource): User | null {
  return users[resource.type]?.(simulator, resource.id) ?? null;
}
