/**
 * Theory of fencing. A replica blob has at most one writer: the one whose epoch is the blob's sequence number.
 * Taking the pen = read the sequence number (greater: too late) → lease under an id derived from the epoch, an
 * older holder's lease is broken → raise the sequence number to the epoch. Page writes carry lease and sequence
 * number; snapshots, metadata and length, for which Azure knows no sequence condition, carry the lease. Two attempts
 * that race may break each other's lease, but the sequence number only grows: the greater epoch ends with both.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { BlobLeaseClient, PageBlobClient } from '@azure/storage-blob';
import { DrError } from '../../../domain/errors.ts';
import type { ReplicaWriter } from '../../../domain/ports.ts';
import { MiB, SECTOR_BYTES } from '../../../domain/units.ts';
import type { Account } from './account.ts';
import { checksumOptions } from './checksum.ts';
import { isStatus, serviceAnswer } from './errors.ts';

const LEASE_SECONDS = 60;
const RENEW_MS = 20_000;
/** Two writers that start together can cross each other's path a few times, not for ever. */
const FENCE_TRIES_MAX = 5;
const WRITE_BYTES_MAX = 4 * MiB;
/** Azurite names snapshots by the millisecond: two within one would share their id. */
const SNAPSHOT_DISTANCE_MS = 2;
const SNAPSHOT_TRIES_MAX = 3;

/** The same epoch always gets the same lease, so a repeated request finds its own. */
function leaseIdOf(epoch: number): string {
  const hex = epoch.toString(16).padStart(15, '0');
  return `5b1c8bac-0000-4000-8${hex.slice(0, 3)}-${hex.slice(3)}`;
}

/** @throws DR_REPLICATION_FENCED when a greater epoch has written. */
export async function openReplicaWriter(
  account: Account,
  blob: PageBlobClient,
  epoch: number,
  signal: AbortSignal,
): Promise<ReplicaWriter> {
  const lease = blob.getBlobLeaseClient(leaseIdOf(epoch));
  const pen: Pen = { account, blob, lease, epoch };
  return account.call({ attempted: `take the pen of ${blob.name}`, signal }, async (abortSignal) => {
    for (let attempt = 1; ; attempt += 1) {
      const bytes = await checkEpoch(pen, abortSignal);
      try {
        await acquire(lease, abortSignal);
        await raiseSequenceNumber(pen, abortSignal);
        return new LeasedWriter(pen, bytes, signal);
      } catch (error) {
        if (!isStatus(error, 409, 412) || attempt === FENCE_TRIES_MAX) throw error;
      }
    }
  });
}

interface Pen {
  readonly account: Account;
  readonly blob: PageBlobClient;
  readonly lease: BlobLeaseClient;
  readonly epoch: number;
}

/** Returns the size of the blob. */
async function checkEpoch(pen: Pen, abortSignal: AbortSignal): Promise<number> {
  const found = await pen.blob.getProperties({ abortSignal });
  const newer = found.blobSequenceNumber ?? 0;
  if (newer > pen.epoch) throw fenced(pen, newer);
  return found.contentLength ?? 0;
}

async function acquire(lease: BlobLeaseClient, abortSignal: AbortSignal): Promise<void> {
  try {
    await lease.acquireLease(LEASE_SECONDS, { abortSignal });
  } catch (error) {
    if (!isStatus(error, 409)) throw error;
    await lease.breakLease(0, { abortSignal });
    await lease.acquireLease(LEASE_SECONDS, { abortSignal });
  }
}

async function raiseSequenceNumber(pen: Pen, abortSignal: AbortSignal): Promise<void> {
  const conditions = { leaseId: pen.lease.leaseId };
  const answer = await pen.blob.updateSequenceNumber('max', pen.epoch, { abortSignal, conditions });
  const newer = answer.blobSequenceNumber ?? pen.epoch;
  if (newer === pen.epoch) return;
  await pen.lease.releaseLease({ abortSignal });
  throw fenced(pen, newer);
}

function fenced(pen: Pen, newer: number, cause?: unknown): DrError {
  return new DrError('DR_REPLICATION_FENCED', { epoch: pen.epoch, what: pen.blob.name, newer }, { cause });
}

class LeasedWriter implements ReplicaWriter {
  readonly #pen: Pen;
  #bytes: number;
  readonly #signal: AbortSignal;
  readonly #stop = new AbortController();
  readonly #renewing: Promise<void>;
  #lost: unknown = null;
  #lastSnapshot = { id: '', atMs: 0 };
  #snapshotting: Promise<unknown> = Promise.resolve();

  constructor(pen: Pen, bytes: number, signal: AbortSignal) {
    this.#pen = pen;
    this.#bytes = bytes;
    this.#signal = signal;
    this.#renewing = this.#renew(AbortSignal.any([signal, this.#stop.signal]));
  }

  async write(offset: number, bytes: Uint8Array): Promise<void> {
    const length = bytes.byteLength;
    this.#checkRange(offset, length, WRITE_BYTES_MAX);
    const checksum = checksumOptions(this.#pen.account.transferChecksum, bytes);
    await this.#send(length, (abortSignal) =>
      this.#pen.blob.uploadPages(bytes, offset, length, {
        abortSignal,
        ...checksum,
        conditions: this.#pageConditions(),
      }),
    );
  }

  async clear(offset: number, length: number): Promise<void> {
    this.#checkRange(offset, length, this.#bytes);
    await this.#send(0, (abortSignal) =>
      this.#pen.blob.clearPages(offset, length, { abortSignal, conditions: this.#pageConditions() }),
    );
  }

  async setMetadata(metadata: Readonly<Record<string, string>>): Promise<void> {
    await this.#send(0, (abortSignal) =>
      this.#pen.blob.setMetadata(
        { ...metadata },
        { abortSignal, conditions: { leaseId: this.#pen.lease.leaseId } },
      ),
    );
  }

  async resize(bytes: number): Promise<void> {
    if (bytes % SECTOR_BYTES !== 0 || bytes < this.#bytes) {
      throw new DrError('DR_INTERNAL', {
        reason: `${this.#pen.blob.name} has ${this.#bytes} bytes and cannot become ${bytes} long`,
      });
    }
    await this.#send(0, (abortSignal) =>
      this.#pen.blob.resize(bytes, { abortSignal, conditions: { leaseId: this.#pen.lease.leaseId } }),
    );
    this.#bytes = bytes;
  }

  snapshot(): Promise<string> {
    const taken = this.#snapshotting.then(() => this.#takeSnapshot());
    this.#snapshotting = taken.catch(() => undefined);
    return taken;
  }

  async release(): Promise<void> {
    if (this.#stop.signal.aborted) return;
    this.#stop.abort();
    this.#lost ??= new DrError('DR_INTERNAL', { reason: `the pen of ${this.#pen.blob.name} was given back` });
    await this.#renewing;
    try {
      await this.#pen.lease.releaseLease({ abortSignal: AbortSignal.timeout(RENEW_MS) });
    } catch {
      // Taken over, or out of reach: the lease ends by itself within a minute.
    }
  }

  async #takeSnapshot(): Promise<string> {
    for (let attempt = 1; attempt <= SNAPSHOT_TRIES_MAX; attempt += 1) {
      await sleep(Math.max(0, this.#lastSnapshot.atMs + SNAPSHOT_DISTANCE_MS - performance.now()));
      const { snapshot } = await this.#send(0, (abortSignal) =>
        this.#pen.blob.createSnapshot({ abortSignal, conditions: { leaseId: this.#pen.lease.leaseId } }),
      );
      const isNew = snapshot !== undefined && snapshot !== this.#lastSnapshot.id;
      this.#lastSnapshot = { id: snapshot ?? '', atMs: performance.now() };
      if (isNew) return snapshot;
    }
    throw new DrError('DR_INTERNAL', {
      reason: `snapshots of ${this.#pen.blob.name} get no id of their own`,
    });
  }

  #pageConditions() {
    return { leaseId: this.#pen.lease.leaseId, ifSequenceNumberEqualTo: this.#pen.epoch };
  }

  /** Azure refuses what this refuses; Azurite would take it. */
  #checkRange(offset: number, length: number, lengthMax: number): void {
    const isAligned = offset % SECTOR_BYTES === 0 && length % SECTOR_BYTES === 0;
    if (isAligned && offset >= 0 && length > 0 && length <= lengthMax && offset + length <= this.#bytes)
      return;
    throw new DrError('DR_INTERNAL', {
      reason: `range ${offset}+${length} of ${this.#pen.blob.name} (${this.#bytes} bytes) is not aligned, too long or out of bounds`,
    });
  }

  async #send<T>(bytes: number, request: (abortSignal: AbortSignal) => Promise<T>): Promise<T> {
    if (this.#lost !== null) throw this.#lost;
    const { account, blob } = this.#pen;
    return account.call(
      { attempted: `write to ${blob.name}`, bytes, signal: this.#signal, pageBlob: blob.name },
      async (abortSignal) => {
        try {
          return await request(abortSignal);
        } catch (error) {
          if (!isLeaseOrSequenceFailure(error)) throw error;
          this.#lost = await this.#whoTookOver(error, abortSignal);
          throw this.#lost;
        }
      },
    );
  }

  /** A lease that is gone while no greater epoch has written was broken by hand or by an attempt that lost: try again. */
  async #whoTookOver(cause: unknown, abortSignal: AbortSignal): Promise<DrError> {
    const { account, blob, epoch } = this.#pen;
    const found = await blob.getProperties({ abortSignal });
    const newer = found.blobSequenceNumber ?? 0;
    if (newer > epoch) return fenced(this.#pen, newer, cause);
    const reason = `the lease of ${blob.name} was lost`;
    return new DrError('DR_STORAGE_UNREACHABLE', { account: account.name, reason }, { cause });
  }

  /** A renewal that gets no answer is tried again until the lease has run out; one that is refused ends the writer. */
  async #renew(stopped: AbortSignal): Promise<void> {
    let renewedAt = performance.now();
    const attempted = `renew the lease of ${this.#pen.blob.name}`;
    const renewOnce = async (abortSignal: AbortSignal) => {
      try {
        await this.#pen.lease.renewLease({ abortSignal });
        renewedAt = performance.now();
      } catch (error) {
        if (!isLeaseOrSequenceFailure(error)) throw error;
        this.#lost = await this.#whoTookOver(error, abortSignal);
      }
    };
    while (this.#lost === null && (await pause(RENEW_MS, stopped))) {
      try {
        await this.#pen.account.call({ attempted, signal: stopped }, renewOnce);
      } catch (error) {
        if (stopped.aborted) return;
        if (performance.now() - renewedAt > LEASE_SECONDS * 1000) this.#lost = error;
      }
    }
  }
}

function isLeaseOrSequenceFailure(error: unknown): boolean {
  const answer = serviceAnswer(error);
  return answer?.status === 412 || (answer?.status === 409 && answer.serviceCode.startsWith('Lease'));
}

/** False: stopped. The timer keeps no process alive. */
async function pause(ms: number, stopped: AbortSignal): Promise<boolean> {
  try {
    await sleep(ms, undefined, { signal: stopped, ref: false });
    return true;
  } catch {
    return false;
  }
}
