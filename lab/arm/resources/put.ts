import type { Answer, ArmRequest } from '../http.ts';
import { begun } from '../lro.ts';
import type { JsonObject, Resource, Tags } from '../model.ts';
import type { Simulator } from '../simulator.ts';
import { answerRepeated, isSameRequest, jsonBody, requireIdle, requireLocation, tagsOf } from './common.ts';

type Named = Pick<Resource, 'id' | 'name'>;
type Common = Omit<Resource, 'type' | 'facts'>;

/** What one type of resource has of its own. */
export interface Put<R extends Resource> {
  readonly existing: R | undefined;
  /** When it is new. */
  readonly named: Named;
  readonly stateOfNew: 'Creating' | 'Updating';
  readonly body: { readonly location: string; readonly tags?: Tags | undefined };
  /** Refuses one more. */
  readonly admit?: () => void;
  readonly build: (common: Common) => R;
  readonly render: (resource: R) => JsonObject;
  readonly operation: { readonly kind: string; readonly provider: string };
}

/** A PUT that ends with its operation. The same request again joins it, or changes nothing. */
export function putByOperation<R extends Resource>(
  simulator: Simulator,
  request: ArmRequest,
  { existing, named, stateOfNew, body, admit, build, render, operation }: Put<R>,
): Answer {
  const location = requireLocation(simulator, body.location);
  if (existing !== undefined && isSameRequest(existing, request)) {
    const status = existing.state === 'Creating' ? 201 : 200;
    const repeated = answerRepeated(simulator, existing, render(existing), status);
    if (repeated !== null) return repeated;
  }
  if (existing === undefined) admit?.();
  else requireIdle(simulator, existing.id);
  const { id, name } = existing ?? named;
  const resource = build({
    id,
    name,
    location,
    tags: tagsOf(body.tags),
    state: existing === undefined ? stateOfNew : 'Updating',
    body: jsonBody(request),
  });
  const begins = simulator.lro.begin({
    ...operation,
    resourceId: id,
    location,
    request,
    durationMs: simulator.store.settings.operationMs,
    changes: [{ put: resource }],
  });
  return begun(simulator, begins, { status: existing === undefined ? 201 : 200, json: render(resource) });
}
