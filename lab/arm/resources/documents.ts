import { createHash } from 'node:crypto';
import type { Answer, ArmRequest } from '../http.ts';
import { parseBody } from '../http.ts';
import type { Document, JsonObject } from '../model.ts';
import type { Handler } from '../router.ts';
import type { Simulator } from '../simulator.ts';
import { renderResource, requireOf, requireWritableGroup, resourceBody, resourceId } from './common.ts';
import { putByOperation } from './put.ts';

/** Public addresses and network security groups: stored and shown, with no effect on anything. */
export function putDocument(type: Document['type']): Handler {
  return (simulator, request) => put(simulator, request, type);
}

export function getDocument(type: Document['type']): Handler {
  const required = requireOf(type);
  return (simulator, request) => ({ status: 200, json: render(required(simulator, request)) });
}

function put(simulator: Simulator, request: ArmRequest, type: Document['type']): Answer {
  const body = parseBody(request, resourceBody);
  requireWritableGroup(simulator, request);
  const id = resourceId(simulator, request, type);
  const facts: JsonObject =
    type === 'Microsoft.Network/publicIPAddresses' ? { ipAddress: addressFor(id) } : {};
  return putByOperation<Document>(simulator, request, {
    existing: simulator.store.find(type, id),
    named: { id, name: request.params.name ?? '' },
    stateOfNew: 'Updating',
    body,
    build: (common) => ({ ...common, type, facts }),
    render,
    operation: { kind: 'resource.settle', provider: 'Microsoft.Network' },
  });
}

/** Of 203.0.113.0/24, which is for documentation (RFC 5737). */
function addressFor(id: string): string {
  const byte = createHash('sha256').update(id.toLowerCase()).digest()[0] ?? 0;
  return `203.0.113.${byte}`;
}

function render(document: Document): JsonObject {
  return renderResource(document, document.facts);
}
