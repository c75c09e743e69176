/** `VaultStorage` on one container of an Azure storage account. */
import { createHash, randomUUID } from 'node:crypto';
import { addAbortSignal, Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import type { BlobClient, BlockBlobUploadOptions, ContainerClient } from '@azure/storage-blob';
import type { VaultStorage } from '../../../domain/ports.ts';
import { connectAccount } from './account.ts';
import type { Account, StorageOptions } from './account.ts';
import { isStatus, serviceAnswer } from './errors.ts';
import { createReplicaBlob } from './replica-blob.ts';

export { ensureContainer } from './account.ts';
export type { StorageOptions } from './account.ts';

/** Metadata that tells whose body a blob holds: a retried request can find the blob its first try has made. */
const CALL_KEY = 'switchbackcall';
/** A broken download goes on where it was. */
const DOWNLOAD_RETRIES = 3;
/** A deletion meets at most so many leases in a row. */
const DELETE_TRIES_MAX = 4;

/** Connects lazily: nothing is sent before the first method is called. @throws DR_CONFIG_INVALID */
export function createVaultStorage(options: StorageOptions): VaultStorage {
  const account = connectAccount(options);
  const { container } = account;
  return {
    async putOnce(name, body, signal) {
      const etag = await upload(account, name, body, { ifNoneMatch: '*' }, signal);
      return etag === null ? 'exists' : 'created';
    },
    put: (name, body, ifMatch) => upload(account, name, body, ifMatch === undefined ? {} : { ifMatch }),
    get: (name, signal) => download(account, name, signal),
    list: (prefix, signal) => list(account, prefix, signal),
    delete: (name) =>
      account.call({ attempted: `delete blob ${name}` }, (abortSignal) =>
        remove(container, name, abortSignal),
      ),
    replica: (name) => createReplicaBlob(account, name),
  };
}

/** The new ETag; null when the condition did not hold, that is: another body is there. */
async function upload(
  account: Account,
  name: string,
  body: Uint8Array,
  conditions: NonNullable<BlockBlobUploadOptions['conditions']>,
  signal?: AbortSignal,
): Promise<string | null> {
  const blob = account.container.getBlockBlobClient(name);
  const call = randomUUID();
  return account.call(
    { attempted: `write blob ${name}`, bytes: body.byteLength, signal },
    async (abortSignal) => {
      try {
        const done = await blob.upload(body, body.byteLength, {
          abortSignal,
          conditions,
          metadata: { [CALL_KEY]: call },
          transactionalContentMD5: createHash('md5').update(body).digest(),
        });
        return done.etag ?? '';
      } catch (error) {
        if (!isConditionFailure(error, conditions)) throw error;
        const found = await propertiesOrNull(blob, abortSignal);
        return found?.metadata?.[CALL_KEY] === call ? (found.etag ?? '') : null;
      }
    },
  );
}

function isConditionFailure(error: unknown, conditions: { readonly ifMatch?: string }): boolean {
  const answer = serviceAnswer(error);
  if (answer?.status === 412 || answer?.serviceCode === 'BlobAlreadyExists') return true;
  return conditions.ifMatch !== undefined && answer?.serviceCode === 'BlobNotFound';
}

async function propertiesOrNull(
  blob: ReturnType<ContainerClient['getBlockBlobClient']>,
  abortSignal: AbortSignal,
) {
  try {
    return await blob.getProperties({ abortSignal });
  } catch (error) {
    if (isStatus(error, 404)) return null;
    throw error;
  }
}

/** Two deadlines: one for the first byte, one for the body, whose length is known by then. */
async function download(account: Account, name: string, signal?: AbortSignal) {
  const blob = account.container.getBlobClient(name);
  const attempted = `read blob ${name}`;
  const answer = await account.call({ attempted, signal }, async (abortSignal) => {
    try {
      return await blob.download(0, undefined, { abortSignal, maxRetryRequests: DOWNLOAD_RETRIES });
    } catch (error) {
      if (serviceAnswer(error)?.serviceCode === 'BlobNotFound') return null;
      throw error;
    }
  });
  if (answer === null) return null;
  const stream = Readable.from(answer.readableStreamBody ?? []);
  const bytes = answer.contentLength ?? 0;
  const body = await account.call({ attempted, bytes, signal }, (abortSignal) =>
    buffer(addAbortSignal(abortSignal, stream)),
  );
  return { body, etag: answer.etag ?? '' };
}

async function* list(account: Account, prefix: string, signal?: AbortSignal) {
  let token: string | undefined;
  do {
    const page = await account.call({ attempted: `list blobs ${prefix}`, signal }, async (abortSignal) => {
      const settings = token === undefined ? {} : { continuationToken: token };
      return account.container.listBlobsFlat({ prefix, abortSignal }).byPage(settings).next();
    });
    if (page.done === true) return;
    for (const item of page.value.segment.blobItems) {
      yield { name: item.name, bytes: item.properties.contentLength ?? 0 };
    }
    token = page.value.continuationToken;
  } while (token !== undefined && token !== '');
}

/**
 * A lease is no reason to keep a blob that its owner deletes: the writer of a finished protection may be dead, or may
 * release its lease, or take a new one, at this very moment.
 */
async function remove(container: ContainerClient, name: string, abortSignal: AbortSignal): Promise<void> {
  const blob = container.getBlobClient(name);
  for (let attempt = 1; ; attempt += 1) {
    try {
      await blob.deleteIfExists({ abortSignal, deleteSnapshots: 'include' });
      return;
    } catch (error) {
      const isLeased = serviceAnswer(error)?.serviceCode === 'LeaseIdMissing';
      if (!isLeased || attempt === DELETE_TRIES_MAX) throw error;
    }
    await breakLease(blob, abortSignal);
  }
}

async function breakLease(blob: BlobClient, abortSignal: AbortSignal): Promise<void> {
  try {
    await blob.getBlobLeaseClient().breakLease(0, { abortSignal });
  } catch (error) {
    // Released, or deleted, in the meantime.
    if (!isStatus(error, 404, 409)) throw error;
  }
}
