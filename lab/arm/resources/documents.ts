import { createHash } from 'node:crypto';
import type { Answer, ArmRequest } from '../http.ts';
import { parseBody } from '../http.ts';
import { begun } from '../lro.ts';
import type { Document, JsonObject } from '../model.ts';
import type { Handler } from '../router.ts';
import type { Simulator } from '../simulator.ts';
import {
  answerRepeated,
  isSameRequest,
  jsonBody,
  renderResource,
  requireIdle,
  requireLocation,
  requireOf,
  requireWritableGroup,
  resourceBody,
  resourceId,
  tagsOf,
} from './common.ts';

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
  const existing = simulator.store.find(type, id);
  if (existing !== undefined && isSameRequest(existing, request)) {
    const repeated = answerRepeated(simulator, existing, render(existing), 200);
    if (repeated !== null) return repeated;
  }
  requireIdle(simulator, id);
  const document: Document = {
    id: existing?.id ?? id,
    type,
    name: existing?.name ?? request.params.name ?? '',
    location: requireLocation(simulator, body.location),
    tags: tagsOf(body.tags),
    state: 'Updating',
    body: jsonBody(request),
    facts: type === 'Microsoft.Network/publicIPAddresses' ? { ipAddress: addressFor(id) } : {},
  };
  const operation = simulator.lro.begin({
    kind: 'resource.settle',
    resourceId: document.id,
    location: document.location,
    provider: 'Microsoft.Network',
    request,
    durationMs: simulator.store.settings.operationMs,
    changes: [{ put: document }],
  });
  return begun(simulator, operation, { status: existing === undefined ? 201 : 200, json: render(document) });
}

/** Of 203.0.113.0/24, which is for documentation (RFC 5737). */
function addressFor(id: string): string {
  const byte = createHash('sha256').update(id.toLowerCase()).digest()[0] ?? 0;
  return `203.0.113.${byte}`;
}

function render(document: Document): JsonObject {
  return renderResource(document, document.facts);
}
