/** `ReplicaBlob`: one page blob that holds a fixed VHD, and its snapshots. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { BlobGetPropertiesResponse, PageBlobClient } from '@azure/storage-blob';
import { DrError } from '../../../domain/errors.ts';
import type { ReplicaBlob } from '../../../domain/ports.ts';
import type { Extent } from '../../../domain/replication.ts';
import { GiB, MiB, SECTOR_BYTES } from '../../../domain/units.ts';
import type { Account } from './account.ts';
import { isStatus, serviceAnswer } from './errors.ts';
import { openReplicaWriter } from './replica-writer.ts';

/** A page blob ends at 8 TiB. */
const PAGE_BLOB_BYTES_MAX = 8_192 * GiB;
const READ_BLOCK_BYTES = 4 * MiB;
const READ_CONCURRENCY = 4;
const COPY_POLL_MS = 500;

export function createReplicaBlob(account: Account, name: string): ReplicaBlob {
  const blob = account.container.getPageBlobClient(name);
  const at = (snapshotId: string | null) => (snapshotId === null ? blob : blob.withSnapshot(snapshotId));
  return {
    name,
    url: blob.url,
    create: (bytes) => create(account, blob, bytes),
    async properties() {
      const found = await properties(account, blob);
      if (found === null) return null;
      return {
        bytes: found.contentLength ?? 0,
        sequenceNumber: found.blobSequenceNumber ?? 0,
        metadata: found.metadata ?? {},
      };
    },
    fence: (epoch, signal) => openReplicaWriter(account, blob, epoch, signal),
    snapshots: () => listSnapshots(account, name),
    async deleteSnapshot(snapshotId) {
      await account.call({ attempted: `delete snapshot ${snapshotId} of ${name}` }, (abortSignal) =>
        at(snapshotId).deleteIfExists({ abortSignal }),
      );
    },
    read: (snapshotId, offset, length, signal, into = Buffer.allocUnsafeSlow(length)) =>
      account.call({ attempted: `read blob ${name}`, bytes: length, signal, pageBlob: name }, (abortSignal) =>
        at(snapshotId).downloadToBuffer(into, offset, length, {
          abortSignal,
          blockSize: READ_BLOCK_BYTES,
          concurrency: READ_CONCURRENCY,
        }),
      ),
    ranges: (snapshotId, signal, inside) => dataRanges(account, at(snapshotId), signal, inside),
    copySnapshot: (snapshotId, toName) => startCopy(account, at(snapshotId), toName),
    awaitCopy: (onProgress, signal) => awaitCopy(account, blob, onProgress, signal),
  };
}

async function create(account: Account, blob: PageBlobClient, bytes: number): Promise<void> {
  const attempted = `create page blob ${blob.name}`;
  if (bytes <= 0 || bytes % SECTOR_BYTES !== 0 || bytes > PAGE_BLOB_BYTES_MAX) {
    throw new DrError('DR_STORAGE_REFUSED', {
      account: account.name,
      attempted,
      reason: `${bytes} bytes are not a whole number of 512-byte pages up to 8 TiB`,
    });
  }
  const made = await account.call({ attempted }, async (abortSignal) => {
    try {
      await blob.create(bytes, { abortSignal, conditions: { ifNoneMatch: '*' } });
      return true;
    } catch (error) {
      if (isStatus(error, 409, 412)) return false;
      throw error;
    }
  });
  if (made) return;
  const found = await properties(account, blob);
  if (found?.contentLength === bytes && found.blobType === 'PageBlob') return;
  const reason = `${found?.blobType ?? 'a blob'} of ${found?.contentLength ?? 0} bytes is there already`;
  throw new DrError('DR_STORAGE_REFUSED', { account: account.name, attempted, reason });
}

async function properties(
  account: Account,
  blob: PageBlobClient,
  signal?: AbortSignal,
): Promise<BlobGetPropertiesResponse | null> {
  return account.call({ attempted: `look at blob ${blob.name}`, signal }, async (abortSignal) => {
    try {
      return await blob.getProperties({ abortSignal });
    } catch (error) {
      if (isBlobMissing(error)) return null;
      throw error;
    }
  });
}

function isBlobMissing(error: unknown): boolean {
  return serviceAnswer(error)?.serviceCode === 'BlobNotFound';
}

async function listSnapshots(account: Account, name: string) {
  return account.call({ attempted: `list snapshots of ${name}` }, async (abortSignal) => {
    const found: { snapshotId: string; metadata: Record<string, string> }[] = [];
    const items = account.container.listBlobsFlat({
      prefix: name,
      includeSnapshots: true,
      includeMetadata: true,
      abortSignal,
    });
    for await (const item of items) {
      if (item.name !== name || item.snapshot === undefined || item.snapshot === '') continue;
      found.push({ snapshotId: item.snapshot, metadata: item.metadata ?? {} });
    }
    return found;
  });
}

/**
 * Neighbouring ranges are merged. Uses the paged listing, whose `end` is inclusive: the SDK's other call
 * answers counts that are one byte short.
 */
async function* dataRanges(account: Account, blob: PageBlobClient, signal?: AbortSignal, inside?: Extent) {
  let token: string | undefined;
  let pending: Extent | null = null;
  do {
    const page = await account.call({ attempted: `list ranges of ${blob.name}`, signal }, (abortSignal) =>
      blob
        .listPageRanges(inside?.offset, inside?.length, { abortSignal })
        .byPage(token === undefined ? {} : { continuationToken: token })
        .next(),
    );
    if (page.done === true) break;
    for (const { start, end } of page.value.pageRange ?? []) {
      const next: Extent = { offset: start, length: end - start + 1 };
      if (pending !== null && pending.offset + pending.length === next.offset) {
        pending = { offset: pending.offset, length: pending.length + next.length };
        continue;
      }
      if (pending !== null) yield pending;
      pending = next;
    }
    token = page.value.continuationToken;
  } while (token !== undefined && token !== '');
  if (pending !== null) yield pending;
}

/** The service copies inside the account; no byte passes here, and no signature is needed. */
async function startCopy(account: Account, source: PageBlobClient, toName: string): Promise<void> {
  const target = account.container.getPageBlobClient(toName);
  const attempted = `copy a snapshot to ${toName}`;
  const found = await properties(account, target);
  if (isCopyUnderWay(found, source.url)) return;
  if (found !== null && !isCopyOf(found, source.url)) throw nameTaken(account, attempted);
  await account.call({ attempted }, async (abortSignal) => {
    try {
      // The SDK's poller is not used further: `awaitCopy` may run in another process.
      await target.beginCopyFromURL(source.url, {
        abortSignal,
        conditions: found?.etag === undefined ? { ifNoneMatch: '*' } : { ifMatch: found.etag },
      });
    } catch (error) {
      if (!isStatus(error, 409, 412)) throw error;
      const winner = await target.getProperties({ abortSignal });
      if (!isCopyUnderWay(winner, source.url)) throw nameTaken(account, attempted);
    }
  });
}

function nameTaken(account: Account, attempted: string): DrError {
  const reason = 'the name is taken by something else';
  return new DrError('DR_STORAGE_REFUSED', { account: account.name, attempted, reason });
}

function isCopyUnderWay(found: BlobGetPropertiesResponse | null, sourceUrl: string): boolean {
  if (found === null || !isCopyOf(found, sourceUrl)) return false;
  return found.copyStatus === 'pending' || found.copyStatus === 'success';
}

function isCopyOf(found: BlobGetPropertiesResponse, sourceUrl: string): boolean {
  return found.copySource !== undefined && pathAndSnapshot(found.copySource) === pathAndSnapshot(sourceUrl);
}

function pathAndSnapshot(text: string): string {
  const url = new URL(text);
  return `${decodeURIComponent(url.pathname)}?${url.searchParams.get('snapshot') ?? ''}`;
}

async function awaitCopy(
  account: Account,
  blob: PageBlobClient,
  onProgress: (percent?: number) => void,
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    const found = await properties(account, blob, signal);
    if (found?.copyStatus === 'success') return;
    if (found?.copyStatus !== 'pending') {
      const reason = found === null ? 'it is gone' : (found.copyStatusDescription ?? 'it is no copy');
      throw new DrError('DR_STORAGE_REFUSED', {
        account: account.name,
        attempted: `finish the copy to ${blob.name}`,
        reason,
      });
    }
    onProgress(percentOf(found.copyProgress));
    await sleep(COPY_POLL_MS, undefined, { signal });
  }
}

/** From `x-ms-copy-progress`, `<bytes done>/<bytes total>`. */
function percentOf(copyProgress: string | undefined): number | undefined {
  const [done, total] = (copyProgress ?? '').split('/').map(Number);
  if (done === undefined || total === undefined || !(total > 0)) return undefined;
  return Math.floor((100 * done) / total);
}
