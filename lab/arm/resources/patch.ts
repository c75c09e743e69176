import { z } from 'zod';
import type { Answer, ArmRequest } from '../http.ts';
import { ArmError, parseBody } from '../http.ts';
import type { Handler } from '../router.ts';
import type { ResourceType } from '../model.ts';
import type { Simulator } from '../simulator.ts';
import { notFound, requireWritableGroup, resourceId } from './common.ts';

const patchBody = z.looseObject({ tags: z.record(z.string(), z.string()) });

/** PATCH of a resource's tags, answered by its GET; nothing else can be patched here. */
export function patchResource(type: ResourceType, get: Handler): Handler {
  return (simulator, request) => patch(simulator, request, type, get);
}

async function patch(
  simulator: Simulator,
  request: ArmRequest,
  type: ResourceType,
  get: Handler,
): Promise<Answer> {
  const body = parseBody(request, patchBody);
  requireWritableGroup(simulator, request);
  const resource = simulator.store.find(type, resourceId(simulator, request, type));
  if (resource === undefined) throw notFound(request, type);
  const other = Object.keys(body).find((key) => key !== 'tags');
  if (other !== undefined)
    throw new ArmError(400, 'InvalidParameter', `Parameter '${other}' cannot be patched here.`);
  simulator.store.commit([{ put: { ...resource, tags: body.tags } }]);
  return get(simulator, request);
}
