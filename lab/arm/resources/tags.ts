import { z } from 'zod';
import type { Answer, ArmRequest } from '../http.ts';
import { ArmError, parseBody } from '../http.ts';
import type { Resource, Tags } from '../model.ts';
import type { Simulator } from '../simulator.ts';
import { groupIdOf } from './common.ts';

const tagsBody = z.object({ tags: z.record(z.string(), z.string()).optional() });
const putBody = z.looseObject({ properties: tagsBody });
const patchBody = z.looseObject({
  operation: z.enum(['Merge', 'Replace', 'Delete']),
  properties: tagsBody,
});

export function getTags(simulator: Simulator, request: ArmRequest): Answer {
  return render(scopeOf(simulator, request));
}

export function putTags(simulator: Simulator, request: ArmRequest): Answer {
  const { properties } = parseBody(request, putBody);
  return write(simulator, request, () => properties.tags ?? {});
}

export function patchTags(simulator: Simulator, request: ArmRequest): Answer {
  const { operation, properties } = parseBody(request, patchBody);
  const given = properties.tags ?? {};
  const change: Record<typeof operation, (tags: Tags) => Tags> = {
    Merge: (tags) => ({ ...tags, ...given }),
    Replace: () => given,
    Delete: (tags) => Object.fromEntries(Object.entries(tags).filter(([name]) => !(name in given))),
  };
  return write(simulator, request, change[operation]);
}

function write(simulator: Simulator, request: ArmRequest, change: (tags: Tags) => Tags): Answer {
  const resource = scopeOf(simulator, request);
  const group = simulator.store.resource(groupIdOf(resource.id));
  if (group?.state === 'Deleting') {
    throw new ArmError(
      409,
      'ResourceGroupBeingDeleted',
      `The resource group '${group.name}' is being deleted.`,
    );
  }
  const changed = { ...resource, tags: change(resource.tags) };
  simulator.store.commit([{ put: changed }]);
  return render(changed);
}

function scopeOf(simulator: Simulator, request: ArmRequest): Resource {
  const id = `/${request.params.scope ?? ''}`;
  const resource = simulator.store.resource(id);
  if (resource === undefined)
    throw new ArmError(404, 'ResourceNotFound', `The Resource '${id}' was not found.`);
  return resource;
}

function render(resource: Resource): Answer {
  const id = `${resource.id}/providers/Microsoft.Resources/tags/default`;
  const type = 'Microsoft.Resources/tags';
  return { status: 200, json: { id, name: 'default', type, properties: { tags: { ...resource.tags } } } };
}
