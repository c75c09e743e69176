import { z } from 'zod';
import { parseFilter } from '../filter.ts';
import type { Answer, ArmRequest } from '../http.ts';
import { ArmError, parseBody } from '../http.ts';
import type { OperationKind } from '../lro.ts';
import { begun } from '../lro.ts';
import type { Group, JsonObject, Resource } from '../model.ts';
import { page } from '../paging.ts';
import type { Simulator } from '../simulator.ts';
import {
  groupId,
  groupIdOf,
  jsonBody,
  requireGroup,
  requireLocation,
  requireWritableGroup,
  resourceBody,
  tagsOf,
} from './common.ts';
import { sweepBytes, userOf } from './deletion.ts';
import { refuseWhileShared } from './sharing.ts';

const TYPE = 'Microsoft.Resources/resourceGroups';
const patchBody = z.looseObject({ tags: z.record(z.string(), z.string()).optional() });

export function putGroup(simulator: Simulator, request: ArmRequest): Answer {
  const body = parseBody(request, resourceBody);
  const name = request.params.group ?? '';
  if (!/^[-\w.()]{1,90}$/.test(name) || name.endsWith('.')) {
    throw new ArmError(
      400,
      'InvalidResourceGroup',
      `The provided resource group name '${name}' is not valid.`,
    );
  }
  const id = groupId(simulator, name);
  const existing = simulator.store.find(TYPE, id);
  const location = requireLocation(simulator, body.location);
  if (existing !== undefined) requireWritableGroup(simulator, request);
  const group: Group = {
    id: existing?.id ?? id,
    type: TYPE,
    name: existing?.name ?? name,
    location,
    tags: tagsOf(body.tags),
    state: 'Succeeded',
    body: jsonBody(request),
    facts: {},
  };
  simulator.store.commit([{ put: group }]);
  return { status: existing === undefined ? 201 : 200, json: render(group) };
}

export function getGroup(simulator: Simulator, request: ArmRequest): Answer {
  return { status: 200, json: render(requireGroup(simulator, request)) };
}

export function headGroup(simulator: Simulator, request: ArmRequest): Answer {
  requireGroup(simulator, request);
  return { status: 204 };
}

export function patchGroup(simulator: Simulator, request: ArmRequest): Answer {
  const { tags } = parseBody(request, patchBody);
  const group = requireWritableGroup(simulator, request);
  const patched = { ...group, tags: tags ?? group.tags };
  simulator.store.commit([{ put: patched }]);
  return { status: 200, json: render(patched) };
}

export function deleteGroup(simulator: Simulator, request: ArmRequest): Answer {
  const group = requireGroup(simulator, request);
  const running = simulator.lro.inProgress(group.id);
  if (running !== undefined) return begun(simulator, running, { status: 202 }, 'location');
  const operation = simulator.lro.begin({
    kind: 'group.delete',
    resourceId: group.id,
    location: group.location,
    provider: 'Microsoft.Resources',
    request,
    durationMs: simulator.store.settings.deleteMs,
    changes: [
      ...simulator.lro.preempt(members(simulator, group).map(({ id }) => id)),
      { put: { ...group, state: 'Deleting' } },
    ],
  });
  return begun(simulator, operation, { status: 202 }, 'location');
}

export const groupDelete: OperationKind = {
  finish: (simulator, operation) => {
    const group = simulator.store.find(TYPE, operation.resourceId);
    if (group === undefined) return { changes: [] };
    const inside = members(simulator, group);
    for (const resource of inside) {
      refuseWhenUsedFromOutside(simulator, group, resource);
      refuseWhileShared(resource);
    }
    return { changes: [...inside.map(({ id }) => ({ remove: id })), { remove: group.id }] };
  },
  fail: (simulator, operation) => {
    const group = simulator.store.find(TYPE, operation.resourceId);
    return group === undefined ? [] : [{ put: { ...group, state: 'Succeeded' } }];
  },
  after: (simulator) => sweepBytes(simulator),
};

export function listGroups(simulator: Simulator, request: ArmRequest): Answer {
  const matches = parseFilter(request.query.get('$filter'));
  return page(simulator, request, simulator.store.ofType(TYPE).filter(matches).map(render));
}

/** All resources of the subscription or of one group; groups are not among them. */
export function listResources(simulator: Simulator, request: ArmRequest): Answer {
  const matches = parseFilter(request.query.get('$filter'));
  const group = request.params.group === undefined ? null : requireGroup(simulator, request);
  const within = group === null ? simulator.store.resources() : members(simulator, group);
  const found = within.filter((resource) => resource.type !== TYPE && matches(resource));
  return page(simulator, request, found.map(renderGeneric));
}

function members(simulator: Simulator, group: Group): Resource[] {
  const id = group.id.toLowerCase();
  return simulator.store
    .resources()
    .filter((resource) => resource.type !== TYPE && groupIdOf(resource.id) === id);
}

function refuseWhenUsedFromOutside(simulator: Simulator, group: Group, resource: Resource): void {
  const user = userOf(simulator, resource);
  if (user === null || groupIdOf(user.id) === group.id.toLowerCase()) return;
  throw new ArmError(
    409,
    'ResourceGroupDeletionBlocked',
    `Deletion of resource group '${group.name}' failed as resource ${resource.id} is in use by ${user.id}.`,
  );
}

function render(group: Group): JsonObject {
  return {
    id: group.id,
    name: group.name,
    type: TYPE,
    location: group.location,
    tags: { ...group.tags },
    properties: { provisioningState: group.state },
  };
}

function renderGeneric(resource: Resource): JsonObject {
  const { sku, zones } = resource.body;
  return {
    id: resource.id,
    name: resource.name,
    type: resource.type,
    location: resource.location,
    tags: { ...resource.tags },
    ...(sku === undefined ? {} : { sku }),
    ...(zones === undefined ? {} : { zones }),
  };
}
