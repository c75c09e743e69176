import type { Answer, ArmRequest } from './http.ts';
import type { JsonObject } from './model.ts';
import type { Simulator } from './simulator.ts';

/** One page of at most `$top` or the setting's items, with `nextLink` when more follow. */
export function page(simulator: Simulator, request: ArmRequest, items: readonly JsonObject[]): Answer {
  const asked = Number(request.query.get('$top') ?? Number.NaN);
  const size = Number.isInteger(asked) && asked > 0 ? asked : simulator.store.settings.pageSize;
  const from = Number(request.query.get('$skiptoken') ?? 0);
  const value = items.slice(from, from + size);
  if (from + size >= items.length) return { status: 200, json: { value } };
  const query = new URLSearchParams(request.query);
  query.set('$skiptoken', String(from + size));
  return { status: 200, json: { value, nextLink: `${simulator.url()}${request.path}?${query.toString()}` } };
}
