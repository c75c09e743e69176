/** The SDK clients of one subscription, and the one way calls go through them. */
import { ComputeManagementClient } from '@azure/arm-compute';
import { NetworkManagementClient } from '@azure/arm-network';
import { ResourceManagementClient } from '@azure/arm-resources';
import type { TokenCredential } from '@azure/identity';
import { withDeadline } from '../deadline.ts';
import { azureError } from './errors.ts';
import type { CallFacts } from './errors.ts';
import { failureOf } from './failure.ts';

export interface CloudOptions {
  readonly subscriptionId: string;
  readonly credential: TokenCredential;
  /** `https://host[:port]`; default: the public cloud. */
  readonly endpoint?: string;
  /** PEM of a further authority to trust for `endpoint`. */
  readonly tlsCa?: string;
  /** Time between looks at an operation, default 2,000 ms; a Retry-After of Azure wins. */
  readonly pollIntervalMs?: number;
  /** How long Azure lets a snapshot be read before it must be asked again, default 7,200 s; renewed at half of it. */
  readonly snapshotAccessSeconds?: number;
}

export interface Clients {
  readonly subscriptionId: string;
  readonly origin: string;
  readonly pollIntervalMs: number;
  readonly snapshotAccessSeconds: number;
  /** Of the endpoint; exported snapshots are read with it too. */
  readonly tlsCa?: string;
  readonly compute: ComputeManagementClient;
  readonly network: NetworkManagementClient;
  readonly resources: ResourceManagementClient;
}

const PUBLIC_CLOUD = 'https://management.azure.com';
const POLL_INTERVAL_MS = 2_000;
const SNAPSHOT_ACCESS_SECONDS = 7_200;
const REQUEST_TIMEOUT_MS = 60_000;
/** The pipeline repeats 408, 429 and 5xx, PUT too: everything sent here is idempotent. */
export const RETRIES_MAX = 3;
export const RETRY_DELAY_MS = 500;

export function createClients(options: CloudOptions): Clients {
  const { subscriptionId, credential, endpoint = PUBLIC_CLOUD, tlsCa } = options;
  const clientOptions = {
    endpoint,
    retryOptions: { maxRetries: RETRIES_MAX, retryDelayInMs: RETRY_DELAY_MS },
    additionalPolicies: [{ policy: timeoutPolicy, position: 'perRetry' as const }],
    ...(tlsCa === undefined ? {} : { tlsOptions: { ca: tlsCa } }),
  };
  return {
    subscriptionId,
    origin: new URL(endpoint).origin,
    pollIntervalMs: options.pollIntervalMs ?? POLL_INTERVAL_MS,
    snapshotAccessSeconds: options.snapshotAccessSeconds ?? SNAPSHOT_ACCESS_SECONDS,
    ...(tlsCa === undefined ? {} : { tlsCa }),
    compute: new ComputeManagementClient(credential, subscriptionId, clientOptions),
    network: new NetworkManagementClient(credential, subscriptionId, clientOptions),
    resources: new ResourceManagementClient(credential, subscriptionId, clientOptions),
  };
}

type AdditionalPolicy = NonNullable<
  NonNullable<ConstructorParameters<typeof ComputeManagementClient>[2]>['additionalPolicies']
>[number]['policy'];

/**
 * The SDK waits for an answer for ever; a peer that accepts and stays silent must not hold an activity. Its own
 * `timeout` is not used: the timer behind it outlives a request that fails.
 */
const timeoutPolicy: AdditionalPolicy = {
  name: 'switchbackTimeout',
  async sendRequest(request, next) {
    const callerSignal = request.abortSignal as AbortSignal | undefined;
    try {
      return await withDeadline(REQUEST_TIMEOUT_MS, callerSignal, (signal) => {
        request.abortSignal = signal;
        return next(request);
      });
    } finally {
      if (callerSignal === undefined) delete request.abortSignal;
      else request.abortSignal = callerSignal;
    }
  },
};

/** Throws errors of the catalogue, or the reason of the caller who aborted. */
export async function call<T>(facts: CallFacts, work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  signal?.throwIfAborted();
  try {
    return await work();
  } catch (error) {
    signal?.throwIfAborted();
    throw azureError(facts, error);
  }
}

/** Null: Azure answered that there is no such thing. */
export async function getOrNull<T>(
  facts: CallFacts,
  get: () => Promise<T>,
  signal?: AbortSignal,
): Promise<T | null> {
  const orNull = async () => {
    try {
      return await get();
    } catch (error) {
      if (failureOf(error)?.status === 404) return null;
      throw error;
    }
  };
  return call(facts, orNull, signal);
}

export async function collect<T, R>(items: AsyncIterable<T>, pick: (item: T) => R | null): Promise<R[]> {
  const found: R[] = [];
  for await (const item of items) {
    const picked = pick(item);
    if (picked !== null) found.push(picked);
  }
  return found;
}
