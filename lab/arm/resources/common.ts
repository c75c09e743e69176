import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import type { Answer, ArmRequest } from '../http.ts';
import { ArmError } from '../http.ts';
import { begun } from '../lro.ts';
import type { Group, JsonObject, Operation, Resource, ResourceByType, ResourceType, Tags } from '../model.ts';
import { page } from '../paging.ts';
import type { Handler } from '../router.ts';
import type { Simulator } from '../simulator.ts';

const tagsSchema = z.record(z.string().max(512), z.string().max(256)).optional();

/** What every PUT body of a tracked resource has. */
export const resourceBody = z.looseObject({ location: z.string(), tags: tagsSchema });

export function groupId(simulator: Simulator, name: string): string {
  return `/subscriptions/${simulator.identity.subscriptionId}/resourceGroups/${name}`;
}

export function resourceId(simulator: Simulator, request: ArmRequest, type: ResourceType): string {
  const { group = '', name = '' } = request.params;
  return `${groupId(simulator, group)}/providers/${type}/${name}`;
}

/** `/subscriptions/x/resourceGroups/y` of any id below it, lower case. */
export function groupIdOf(id: string): string {
  return id.toLowerCase().split('/').slice(0, 5).join('/');
}

export function requireGroup(simulator: Simulator, request: ArmRequest): Group {
  const { group: name = '' } = request.params;
  const group = simulator.store.find('Microsoft.Resources/resourceGroups', groupId(simulator, name));
  if (group === undefined) {
    throw new ArmError(404, 'ResourceGroupNotFound', `Resource group '${name}' could not be found.`);
  }
  return group;
}

export function requireWritableGroup(simulator: Simulator, request: ArmRequest): Group {
  const group = requireGroup(simulator, request);
  if (group.state !== 'Deleting') return group;
  throw new ArmError(
    409,
    'ResourceGroupBeingDeleted',
    `The resource group '${group.name}' is in deprovisioning state and cannot perform this operation.`,
  );
}

/** The resource of that type that the path names. @throws 404 */
export function requireOf<T extends TrackedType>(type: T) {
  return (simulator: Simulator, request: ArmRequest): ResourceByType<T> => {
    requireGroup(simulator, request);
    const resource = simulator.store.find(type, resourceId(simulator, request, type));
    if (resource === undefined) throw notFound(request, type);
    return resource;
  };
}

/** Lists the resources of that type in the path's group, or in the subscription. */
export function listOf<T extends TrackedType>(type: T, render: Renderer<ResourceByType<T>>): Handler {
  return (simulator, request) => {
    const prefix =
      request.params.group === undefined ? '' : `${requireGroup(simulator, request).id}/`.toLowerCase();
    const isWithin = ({ id }: Resource) => id.toLowerCase().startsWith(prefix);
    const found = simulator.store.ofType(type).filter(isWithin);
    return page(
      simulator,
      request,
      found.map((resource) => render(simulator, resource, request)),
    );
  };
}

type TrackedType = Exclude<ResourceType, Group['type']>;
type Renderer<R> = (simulator: Simulator, resource: R, request: ArmRequest) => JsonObject;

export function notFound(request: ArmRequest, type: ResourceType): ArmError {
  const { group = '', name = '' } = request.params;
  return new ArmError(
    404,
    'ResourceNotFound',
    `The Resource '${type}/${name}' under resource group '${group}' was not found. For more details please go to https://aka.ms/ARMResourceNotFoundFix`,
  );
}

export function requireLocation(simulator: Simulator, location: string): string {
  const normal = location.toLowerCase().replaceAll(' ', '');
  if (normal === simulator.identity.location) return normal;
  throw new ArmError(
    400,
    'LocationNotAvailableForResourceType',
    `The provided location '${location}' is not available. The available location is '${simulator.identity.location}'.`,
  );
}

export function jsonBody(request: ArmRequest): JsonObject {
  return JSON.parse(request.body === '' ? '{}' : request.body) as JsonObject;
}

export function isSameRequest(resource: Resource, request: ArmRequest): boolean {
  return isDeepStrictEqual(resource.body, jsonBody(request));
}

export function tagsOf(tags: Tags | undefined): Tags {
  return tags ?? {};
}

/** Refuses a write to a resource that another operation is changing. */
export function requireIdle(simulator: Simulator, id: string): void {
  const operation = simulator.lro.inProgress(id);
  if (operation === undefined) return;
  throw new ArmError(
    409,
    'AnotherOperationInProgress',
    `Another operation ${operation.id} (${operation.kind}) is in progress on the resource ${id}.`,
  );
}

/** The part of an answer that all resources share. `properties` complete what the client asked for. */
export function renderResource(resource: Resource, properties: JsonObject): JsonObject {
  const { properties: asked, ...rest } = resource.body;
  return {
    ...rest,
    id: resource.id,
    name: resource.name,
    type: resource.type,
    location: resource.location,
    tags: { ...resource.tags },
    properties: { ...(asked as JsonObject | undefined), ...properties, provisioningState: resource.state },
  };
}

/** A repeated PUT joins the operation under way, and is answered at once when nothing is left to do. */
export function answerRepeated(
  simulator: Simulator,
  resource: Resource,
  json: JsonObject,
  acceptedStatus: number,
): Answer | null {
  if (resource.state === 'Deleting') requireIdle(simulator, resource.id);
  const operation: Operation | undefined = simulator.lro.inProgress(resource.id);
  if (operation !== undefined) return begun(simulator, operation, { status: acceptedStatus, json });
  return resource.state === 'Succeeded' ? { status: 200, json } : null;
}

export function sameId(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}
