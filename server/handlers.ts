/** One handler per route of the contract; the compiler finds a missing one. */
import type { Contract } from '../api/contract.ts';
import type { RouteOutput, RouteRequest } from '../api/route.ts';
import { asId, type OperationId } from '../domain/ids.ts';
import type { Requester } from '../domain/job.ts';

type DeepReadonly<T> = T extends (infer E)[]
  ? readonly DeepReadonly<E>[]
  : T extends object
    ? { readonly [K in keyof T]: DeepReadonly<T[K]> }
    : T;

export type HandlerRequest<K extends keyof Contract> = RouteRequest<Contract[K]> & {
  readonly requester: Requester;
};

export type Handlers = {
  readonly [K in keyof Contract]: (
    request: HandlerRequest<K>,
  ) => Promise<DeepReadonly<RouteOutput<Contract[K]>>>;
};

/** The id the caller chose, or a new one. */
export function operationIdOf(body: { readonly operationId?: string }): OperationId {
  return asId(body.operationId ?? crypto.randomUUID());
}
