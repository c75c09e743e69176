import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import type { Answer, ArmRequest } from './http.ts';
import { ArmError } from './http.ts';
import type { Json, JsonObject, Operation, OperationError } from './model.ts';
import type { Simulator } from './simulator.ts';
import type { Change } from './store.ts';

export interface Outcome {
  readonly changes: readonly Change[];
  /** Body of the final Location GET of a POST. */
  readonly output?: Json;
}

/** How an operation of one kind is done. After a crash `work` is started again, so it must be repeatable. */
export interface OperationKind {
  readonly work?: (simulator: Simulator, operation: Operation, signal: AbortSignal) => Promise<void>;
  /** Synchronous: its changes are committed together with the operation's end. May refuse by throwing ArmError. */
  readonly finish: (simulator: Simulator, operation: Operation) => Outcome;
  /** Changes when the operation fails; default: the resource's provisioningState becomes Failed. */
  readonly fail?: (simulator: Simulator, operation: Operation) => readonly Change[];
  /** Runs after the end is durable, for what need not be. */
  readonly after?: (simulator: Simulator, operation: Operation) => Promise<void>;
}

export interface Begin {
  readonly kind: string;
  readonly resourceId: string;
  readonly location: string;
  readonly provider: string;
  readonly request: ArmRequest;
  readonly durationMs: number;
  readonly changes: readonly Change[];
  readonly detail?: JsonObject;
}

/** Runs long-running operations: begun durably, resumed after a restart, ended exactly once. */
export class Lro {
  readonly #simulator: () => Simulator;
  readonly #kinds: Readonly<Record<string, OperationKind>>;
  readonly #running = new Map<string, { abort: AbortController; ended: Promise<void> }>();

  constructor(simulator: () => Simulator, kinds: Readonly<Record<string, OperationKind>>) {
    this.#simulator = simulator;
    this.#kinds = kinds;
  }

  begin(begin: Begin): Operation {
    const now = Date.now();
    const { failOperation: failWith, stuckMs = 0 } = begin.request.fault ?? {};
    const operation: Operation = {
      id: randomUUID(),
      kind: begin.kind,
      resourceId: begin.resourceId,
      provider: begin.provider,
      location: begin.location,
      apiVersion: begin.request.apiVersion,
      detail: begin.detail ?? {},
      status: 'InProgress',
      startedAt: now,
      dueAt: now + begin.durationMs + stuckMs,
      ...(failWith === undefined ? {} : { failWith }),
    };
    this.#simulator().store.commit([...begin.changes, { operation }]);
    this.#start(operation);
    return operation;
  }

  /** Starts what a crash left in progress. */
  resume(): void {
    for (const operation of this.#simulator().store.operations()) {
      if (operation.status === 'InProgress') this.#start(operation);
    }
  }

  inProgress(resourceId: string): Operation | undefined {
    const id = resourceId.toLowerCase();
    return this.#simulator()
      .store.operations()
      .find((operation) => operation.status === 'InProgress' && operation.resourceId.toLowerCase() === id);
  }

  /** Changes that cancel what runs on the resources; the caller commits them with its own. */
  preempt(resourceIds: readonly string[]): Change[] {
    return resourceIds.flatMap((id) => {
      const operation = this.inProgress(id);
      if (operation === undefined) return [];
      this.#running.get(operation.id)?.abort.abort(new Error('preempted'));
      const error = {
        code: 'OperationPreempted',
        message: 'Operation execution has been preempted by a more recent operation.',
      };
      return [{ operation: { ...operation, status: 'Canceled' as const, endedAt: Date.now(), error } }];
    });
  }

  /** Stops running without ending anything: the next start resumes. */
  async stop(): Promise<void> {
    const running = [...this.#running.values()];
    for (const { abort } of running) abort.abort(new Error('stopping'));
    await Promise.all(running.map(({ ended }) => ended));
  }

  #start(operation: Operation): void {
    const abort = new AbortController();
    const ended = this.#run(operation, abort.signal).finally(() => this.#running.delete(operation.id));
    this.#running.set(operation.id, { abort, ended });
  }

  async #run(operation: Operation, signal: AbortSignal): Promise<void> {
    const simulator = this.#simulator();
    const kind = this.#kinds[operation.kind];
    if (kind === undefined) throw new Error(`unknown operation kind ${operation.kind}`);
    try {
      if (operation.failWith === undefined) await kind.work?.(simulator, operation, signal);
      await wait(Math.max(0, operation.dueAt - Date.now()), undefined, { signal });
      if (operation.failWith !== undefined) throw new FailedOperation(operation.failWith);
      signal.throwIfAborted();
      const { changes, output } = kind.finish(simulator, operation);
      this.#end(operation, changes, { status: 'Succeeded', ...(output === undefined ? {} : { output }) });
    } catch (error) {
      if (signal.aborted) return;
      this.#end(operation, kind.fail?.(simulator, operation) ?? markFailed(simulator, operation), {
        status: 'Failed',
        error: operationError(error),
      });
      return;
    }
    await kind.after?.(simulator, operation);
  }

  #end(operation: Operation, changes: readonly Change[], end: Partial<Operation>): void {
    this.#simulator().store.commit([
      ...changes,
      { operation: { ...operation, ...end, endedAt: Date.now() } },
    ]);
  }
}

class FailedOperation extends Error {
  readonly code: string;

  constructor({ code, message }: OperationError) {
    super(message);
    this.code = code;
  }
}

function operationError(error: unknown): OperationError {
  if (error instanceof ArmError || error instanceof FailedOperation) {
    return { code: error.code, message: error.message };
  }
  const message = error instanceof Error ? error.message : String(error);
  return { code: 'InternalOperationError', message: `An internal execution error occurred: ${message}` };
}

function markFailed(simulator: Simulator, operation: Operation): Change[] {
  const resource = simulator.store.resource(operation.resourceId);
  return resource === undefined ? [] : [{ put: { ...resource, state: 'Failed' } }];
}

/** `both`: Azure-AsyncOperation and Location, as Compute and Network send; `location`: as resource groups do. */
export function begun(
  simulator: Simulator,
  operation: Operation,
  answer: Answer,
  headers: 'both' | 'location' = 'both',
): Answer {
  const kind = headers === 'both' ? 'operations' : 'operationresults';
  const base =
    headers === 'both'
      ? `/subscriptions/${simulator.identity.subscriptionId}/providers/${operation.provider}/locations/${operation.location}`
      : `/subscriptions/${simulator.identity.subscriptionId}`;
  const url = `${simulator.url()}${base}/${kind}/${operation.id}?api-version=${operation.apiVersion}`;
  return {
    ...answer,
    headers: {
      ...answer.headers,
      ...(headers === 'both'
        ? { 'azure-asyncoperation': url, location: `${url}&monitor=true` }
        : { location: url }),
      ...retryAfter(simulator),
    },
  };
}

/** Azure-AsyncOperation: always 200 with the status in the body. */
export function getOperationStatus(simulator: Simulator, request: ArmRequest): Answer {
  if (request.query.has('monitor')) return getOperationResult(simulator, request);
  const operation = knownOperation(simulator, request);
  return {
    status: 200,
    json: {
      startTime: new Date(operation.startedAt).toISOString(),
      ...(operation.endedAt === undefined ? {} : { endTime: new Date(operation.endedAt).toISOString() }),
      status: operation.status,
      ...(operation.error === undefined ? {} : { error: { ...operation.error } }),
      ...(operation.output === undefined ? {} : { properties: { output: operation.output } }),
      name: operation.id,
    },
    ...(operation.status === 'InProgress' ? { headers: retryAfter(simulator) } : {}),
  };
}

/** Location: 202 until done, then 200 with the output or with an empty body. */
export function getOperationResult(simulator: Simulator, request: ArmRequest): Answer {
  const operation = knownOperation(simulator, request);
  if (operation.status === 'InProgress') {
    const location = `${simulator.url()}${request.path}?${request.query.toString()}`;
    return { status: 202, headers: { location, ...retryAfter(simulator) } };
  }
  const { error } = operation;
  if (error !== undefined) throw new ArmError(409, error.code, error.message);
  return operation.output === undefined ? { status: 200 } : { status: 200, json: operation.output };
}

function knownOperation(simulator: Simulator, request: ArmRequest): Operation {
  const operation = simulator.store.operation(request.params.operation ?? '');
  if (operation !== undefined) return operation;
  throw new ArmError(404, 'NotFound', `Operation '${request.params.operation ?? ''}' was not found.`);
}

function retryAfter(simulator: Simulator): Record<string, string> {
  const seconds = simulator.store.settings.retryAfterSeconds;
  return seconds > 0 ? { 'retry-after': String(seconds) } : {};
}
