/**
 * Theory of a long-running operation. `begin` looks first: what the run has made already is adopted, what it
 * made in vain is removed, what is not the run's own is refused. Only then it sends one PUT and returns the
 * SDK's poller as text, so that any process can wait for its end. `await` never writes: it resumes the poller,
 * and when Azure does not know the operation any more it looks at the resource itself until that has settled.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { BegunOperation, OnProgress, RunScope } from '../../../domain/ports.ts';
import { call, getOrNull } from './clients.ts';
import type { Clients } from './clients.ts';
import { failureError } from './errors.ts';
import type { CallFacts } from './errors.ts';
import { refuseForeign } from './ownership.ts';
import type { Tags } from './ownership.ts';

/** What this file needs of the SDK's pollers. They are thenables: never return one from an async function. */
export interface Poller {
  readonly isDone: boolean;
  submitted(): Promise<void>;
  serialize(): Promise<string>;
  onProgress(callback: () => void): () => void;
  pollUntilDone(options?: { readonly abortSignal?: AbortSignal }): Promise<unknown>;
}

export interface Provisioned {
  readonly tags?: Tags | undefined;
  readonly provisioningState?: string | undefined;
}

export interface Step<T extends Provisioned> {
  readonly facts: CallFacts;
  readonly resourceId: string;
  readonly get: () => Promise<T>;
  readonly put: () => Poller;
  readonly remove: () => Poller;
  /** Throws when what carries the run's tags is still not what is asked for. */
  readonly adopt?: (found: T) => void;
}

/** Removing what failed is part of `begin`; an attempt that is given up finds the deletion under way and joins it. */
const REMOVE_MS_MAX = 300_000;

export async function beginStep<T extends Provisioned>(
  scope: RunScope,
  step: Step<T>,
): Promise<BegunOperation> {
  const { facts, resourceId } = step;
  const found = await getOrNull(facts, step.get);
  if (found !== null) {
    refuseForeign(scope, resourceId, found.tags);
    if (!isInVain(found) && found.provisioningState !== 'Deleting') {
      step.adopt?.(found);
      return { resourceId, poller: null };
    }
    const abortSignal = AbortSignal.timeout(REMOVE_MS_MAX);
    await call(facts, () => step.remove().pollUntilDone({ abortSignal }));
  }
  return { resourceId, poller: await submit(facts, step.put) };
}

/** Null: the operation has ended well already. */
export async function submit(facts: CallFacts, start: () => Poller): Promise<string | null> {
  return call(facts, async () => {
    const poller = start();
    await poller.submitted();
    if (!poller.isDone) return poller.serialize();
    await poller.pollUntilDone();
    return null;
  });
}

/** Waits for a resource to be there, `Succeeded` and complete. */
export async function awaitStep<T extends Provisioned>(
  clients: Clients,
  wait: {
    readonly facts: CallFacts;
    readonly begun: BegunOperation;
    readonly restore: (state: string) => Poller;
    readonly get: () => Promise<T>;
    /** Absent: `Succeeded` is enough. */
    readonly isComplete?: (found: T) => boolean;
    readonly onProgress: OnProgress;
    readonly signal: AbortSignal;
  },
): Promise<T> {
  const { facts, begun, restore, get, isComplete = () => true, onProgress, signal } = wait;
  await awaitPoller(clients, { facts, poller: begun.poller, restore, onProgress, signal });
  for (;;) {
    signal.throwIfAborted();
    const found = await getOrNull(facts, get);
    if (found === null) throw failureError(facts, gone);
    if (found.provisioningState === 'Succeeded' && isComplete(found)) return found;
    if (isInVain(found)) throw failureError(facts, endedAs(found.provisioningState));
    onProgress();
    await sleep(clients.pollIntervalMs, undefined, { signal });
  }
}

/** Returns when the operation has ended well, or is not known any more; throws when it failed. */
export async function awaitPoller(
  clients: Clients,
  wait: {
    readonly facts: CallFacts;
    readonly poller: string | null;
    readonly restore: (state: string) => Poller;
    readonly onProgress: OnProgress;
    readonly signal: AbortSignal;
  },
): Promise<void> {
  const { facts, poller: state, restore, onProgress, signal } = wait;
  if (state === null || !isResumable(clients, state)) return;
  await runToEnd(facts, restore(state), onProgress, signal);
}

/** Returns when the operation has ended well, or is not known any more; throws when it failed. */
export async function runToEnd(
  facts: CallFacts,
  poller: Poller,
  onProgress: OnProgress,
  signal: AbortSignal,
): Promise<void> {
  const stopListening = poller.onProgress(() => onProgress());
  try {
    await getOrNull(facts, () => poller.pollUntilDone({ abortSignal: signal }), signal);
  } finally {
    stopListening();
  }
}

/**
 * A state that was saved after a failed poll cannot go on, and one that names another host than Azure's would
 * send our token there: both are treated as an operation that is not known any more.
 */
function isResumable(clients: Clients, state: string): boolean {
  const saved = parseState(state);
  const url = saved?.config?.operationLocation;
  if (saved?.status !== 'running' || typeof url !== 'string') return false;
  return URL.canParse(url, clients.origin) && new URL(url, clients.origin).origin === clients.origin;
}

function parseState(
  text: string,
): { readonly status?: unknown; readonly config?: { readonly operationLocation?: unknown } } | null {
  try {
    return (JSON.parse(text) as { readonly state?: object }).state ?? null;
  } catch {
    return null;
  }
}

function isInVain(found: Provisioned): boolean {
  return found.provisioningState === 'Failed' || found.provisioningState === 'Canceled';
}

export const gone = { status: null, code: 'ResourceNotFound', message: 'the resource is gone' };

function endedAs(state = 'unknown') {
  return { status: null, code: `Provisioning${state}`, message: `it ended in state ${state}` };
}
