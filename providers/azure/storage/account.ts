/** The connection to one container of one storage account. */
import { setTimeout as sleep } from 'node:timers/promises';
import { BlobServiceClient, StorageSharedKeyCredential } from '@azure/storage-blob';
import type { ContainerClient } from '@azure/storage-blob';
import type { TokenCredential } from '@azure/identity';
import { DrError } from '../../../domain/errors.ts';
import type { Secret } from '../../../domain/ports.ts';
import { withDeadline } from '../deadline.ts';
import type { TransferChecksum } from './checksum.ts';
import { isStatus, storageError } from './errors.ts';
import type { RateLimits } from './pace.ts';
import { Pacer, UNLIMITED } from './pace.ts';
import type { RetryRules } from './retry.ts';
import { isBusy, mayRetry, retryDelayMs } from './retry.ts';

export interface StorageOptions {
  /** `https://<account>.blob.core.windows.net`; plain http is accepted for a loopback host only. */
  readonly accountUrl: string;
  readonly container: string;
  readonly credential:
    | { readonly kind: 'sharedKey'; readonly accountName: string; readonly key: Secret }
    | { readonly kind: 'identity'; readonly credential: TokenCredential };
  /** Tries of one request against a busy or broken service; waits about d, 2d, 4d … between them. Default 5 and 500 ms. */
  readonly retry?: RetryRules;
  /** What is sent along with bodies, so that the service refuses what was mangled on the way. Default `md5`. */
  readonly transferChecksum?: TransferChecksum;
  /** What is asked of a page blob and of the account at most. Default: no bound, but waiting while the service says it is busy. */
  readonly limits?: { readonly blob: RateLimits; readonly account: RateLimits };
}

export interface Account {
  readonly name: string;
  readonly container: ContainerClient;
  readonly transferChecksum: TransferChecksum;
  /**
   * Runs one request, at its pace and with a deadline that fits `bytes`, again when it failed for a reason that passes:
   * `work` must bear that. Throws errors of the catalogue.
   */
  call<T>(request: CallFacts, work: (signal: AbortSignal) => Promise<T>): Promise<T>;
}

export interface CallFacts {
  /** A phrase for the error: "write blob x". */
  readonly attempted: string;
  readonly bytes?: number;
  readonly signal?: AbortSignal | undefined;
  /** A page blob, which has limits of its own. */
  readonly pageBlob?: string;
}

const DEADLINE_MS = 60_000;
/** A line slower than 64 KB/s is treated as dead. */
const SLOWEST_BYTES_PER_MS = 64;
const DEFAULT_RETRY: RetryRules = { triesMax: 5, delayMs: 500 };
/** Blobs whose pace is remembered; one that was not used for so long starts anew. */
const PACED_BLOBS_MAX = 1_024;

/**
 * Opens no connection yet. The SDK's client sends through node:http(s) with one agent for the process that keeps its
 * connections. It sends each request once: its own retry neither obeys `Retry-After` nor spreads those who come back.
 * @throws DR_CONFIG_INVALID
 */
export function connectAccount(options: StorageOptions): Account {
  const url = checkedUrl(options.accountUrl);
  const { credential, retry = DEFAULT_RETRY, transferChecksum = 'md5' } = options;
  const service = new BlobServiceClient(
    url.href.replace(/\/$/, ''),
    credential.kind === 'sharedKey'
      ? new StorageSharedKeyCredential(credential.accountName, credential.key.reveal())
      : credential.credential,
    { retryOptions: { maxTries: 1 } },
  );
  const name = service.accountName;
  const pacersOf = pacing(options.limits ?? { blob: UNLIMITED, account: UNLIMITED });
  return {
    name,
    container: service.getContainerClient(options.container),
    transferChecksum,
    async call({ attempted, bytes = 0, signal, pageBlob }, work) {
      const pacers = pacersOf(pageBlob);
      for (let tries = 1; ; tries += 1) {
        try {
          for (const pacer of pacers) await pacer.admit(bytes, signal);
          return await withDeadline(deadlineMs(bytes), signal, work);
        } catch (error) {
          const delayMs = retryDelayMs(retry, tries, error);
          if (isBusy(error)) for (const pacer of pacers) pacer.slowDown(delayMs);
          if (signal?.aborted === true) throw signal.reason;
          if (tries >= retry.triesMax || !mayRetry(error)) throw storageError(name, attempted, error);
          await pause(delayMs, signal);
        }
      }
    },
  };
}

/** How long a request that carries so many bytes may take. */
export function deadlineMs(bytes: number): number {
  return DEADLINE_MS + bytes / SLOWEST_BYTES_PER_MS;
}

async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await sleep(ms, undefined, signal === undefined ? {} : { signal });
  } catch (error) {
    throw signal?.aborted === true ? signal.reason : error;
  }
}

/** The account's pacer, and that of the page blob if there is one. */
function pacing(limits: NonNullable<StorageOptions['limits']>): (pageBlob?: string) => readonly Pacer[] {
  const account = new Pacer(limits.account);
  const blobs = new Map<string, Pacer>();
  return (pageBlob) => {
    if (pageBlob === undefined) return [account];
    const blob = blobs.get(pageBlob) ?? new Pacer(limits.blob);
    // What was used last comes last.
    blobs.delete(pageBlob);
    blobs.set(pageBlob, blob);
    const [eldest] = blobs.keys();
    if (blobs.size > PACED_BLOBS_MAX && eldest !== undefined) blobs.delete(eldest);
    return [blob, account];
  };
}

/** Creates the container; one that exists is left as it is. */
export async function ensureContainer(options: StorageOptions): Promise<void> {
  const account = connectAccount(options);
  await account.call({ attempted: `create container ${options.container}` }, async (abortSignal) => {
    try {
      await account.container.create({ abortSignal });
    } catch (error) {
      if (!isStatus(error, 409)) throw error;
      // 409 is also "being deleted": the container must be readable to count as there.
      await account.container.getProperties({ abortSignal });
    }
  });
}

function checkedUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url !== null && (url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url.hostname)))) {
    return url;
  }
  throw new DrError('DR_CONFIG_INVALID', {
    problems: `storage account URL "${url?.origin ?? text}" is not https; http is for a loopback host only`,
  });
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(hostname);
}
