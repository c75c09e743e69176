/** `VaultStorage` on one container of an Azure storage account. */
import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import type { BlobClient, BlockBlobUploadOptions, ContainerClient } from '@azure/storage-blob';
import { DrError } from '../../../domain/errors.ts';
import type { VaultStorage } from '../../../domain/ports.ts';
import { MiB } from '../../../domain/units.ts';
import { withDeadline } from '../deadline.ts';
import { connectAccount, deadlineMs } from './account.ts';
import type { Account, StorageOptions } from './account.ts';
import { checksumOptions } from './checksum.ts';
import { isStatus, serviceAnswer } from './errors.ts';
import { createReplicaBlob } from './replica-blob.ts';

export { ensureContainer } from './account.ts';
export type { StorageOptions } from './account.ts';

/** Metadata that tells whose body a blob holds: a retried request can find the blob its first try has made. */
const CALL_KEY = 'switchbackcall';
/** A broken download goes on where it was. */
const DOWNLOAD_RETRIES = 3;
/** A segment's length, for the bound of a call whose answer is of unknown length. */
const BODY_BYTES_USUAL = 16 * MiB;
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
  const checksum = checksumOptions(account.transferChecksum, body);
  return account.call(
    { attempted: `write blob ${name}`, bytes: body.byteLength, signal },
    async (abortSignal) => {
      try {
        const done = await blob.upload(body, body.byteLength, {
          abortSignal,
          conditions,
          metadata: { [CALL_KEY]: call },
          ...checksum,
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

/** Two deadlines inside that of the call: one for the first byte, one for the body, whose length is known by then. */
async function download(account: Account, name: string, signal?: AbortSignal) {
  const blob = account.container.getBlobClient(name);
  const facts = { attempted: `read blob ${name}`, bytes: BODY_BYTES_USUAL, signal };
  return account.call(facts, async (abortSignal) => {
    try {
      const answer = await withDeadline(deadlineMs(0), abortSignal, (first) =>
        blob.download(0, undefined, { abortSignal: first, maxRetryRequests: DOWNLOAD_RETRIES }),
      );
      const bytes = answer.contentLength ?? 0;
      const body = Buffer.allocUnsafeSlow(bytes);
      await withDeadline(deadlineMs(bytes), abortSignal, (whole) =>
        gather(account, answer.readableStreamBody, body, whole),
      );
      return { body, etag: answer.etag ?? '' };
    } catch (error) {
      if (serviceAnswer(error)?.serviceCode === 'BlobNotFound') return null;
      throw error;
    }
  });
}

/** The client compares the length: it asks again for what is missing, and ends when that does not come. */
async function gather(
  account: Account,
  answer: NodeJS.ReadableStream | undefined,
  body: Buffer,
  signal: AbortSignal,
): Promise<void> {
  const stream = answer instanceof Readable ? answer : Readable.from(answer ?? []);
  let at = 0;
  // An iterator would cost more than the copying does.
  stream.on('data', (chunk: Buffer) => {
    at += chunk.copy(body, at);
  });
  try {
    await finished(stream, { signal });
  } catch (cause) {
    stream.destroy();
    if (signal.aborted) throw cause;
    const reason = 'an answer broke off';
    throw new DrError('DR_STORAGE_UNREACHABLE', { account: account.name, reason }, { cause });
  }
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
