/** The connection to one container of one storage account. */
import { BlobServiceClient, StorageSharedKeyCredential } from '@azure/storage-blob';
import type { ContainerClient } from '@azure/storage-blob';
import type { TokenCredential } from '@azure/identity';
import { DrError } from '../../../domain/errors.ts';
import type { Secret } from '../../../domain/ports.ts';
import { withDeadline } from '../deadline.ts';
import { isStatus, storageError } from './errors.ts';

export interface StorageOptions {
  /** `https://<account>.blob.core.windows.net`; plain http is accepted for a loopback host only. */
  readonly accountUrl: string;
  readonly container: string;
  readonly credential:
    | { readonly kind: 'sharedKey'; readonly accountName: string; readonly key: Secret }
    | { readonly kind: 'identity'; readonly credential: TokenCredential };
  /** Tries of one request against a busy or silent service; waits 0, d, 3d, 7d … between them. Default 5 and 500 ms. */
  readonly retry?: { readonly triesMax: number; readonly delayMs: number };
}

export interface Account {
  readonly name: string;
  readonly container: ContainerClient;
  /** Runs one request with a deadline that fits `bytes`; throws errors of the catalogue. */
  call<T>(request: CallFacts, work: (signal: AbortSignal) => Promise<T>): Promise<T>;
}

export interface CallFacts {
  /** A phrase for the error: "write blob x". */
  readonly attempted: string;
  readonly bytes?: number;
  readonly signal?: AbortSignal | undefined;
}

const DEADLINE_MS = 60_000;
/** A line slower than 64 KB/s is treated as dead. */
const SLOWEST_BYTES_PER_MS = 64;
const RETRY_DELAY_MS_MAX = 30_000;

/**
 * Opens no connection yet. The SDK's client sends through node:http(s) with one agent for the process that
 * keeps its connections; its own retry policy obeys Azure's rules (408/500/503 and network errors, exponential).
 * @throws DR_CONFIG_INVALID
 */
export function connectAccount(options: StorageOptions): Account {
  const url = checkedUrl(options.accountUrl);
  const { credential } = options;
  const service = new BlobServiceClient(
    url.href.replace(/\/$/, ''),
    credential.kind === 'sharedKey'
      ? new StorageSharedKeyCredential(credential.accountName, credential.key.reveal())
      : credential.credential,
    {
      retryOptions: {
        maxTries: options.retry?.triesMax ?? 5,
        retryDelayInMs: options.retry?.delayMs ?? 500,
        maxRetryDelayInMs: RETRY_DELAY_MS_MAX,
      },
    },
  );
  const name = service.accountName;
  return {
    name,
    container: service.getContainerClient(options.container),
    async call({ attempted, bytes = 0, signal }, work) {
      try {
        return await withDeadline(DEADLINE_MS + bytes / SLOWEST_BYTES_PER_MS, signal, work);
      } catch (error) {
        throw storageError(name, attempted, error);
      }
    },
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
