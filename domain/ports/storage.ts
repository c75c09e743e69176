/** The storage account, the vault's key, and what is kept sealed there. */
import type { VCenterId } from '../ids.ts';
import type { Extent } from '../replication.ts';
import type { OnProgress } from './progress.ts';
import type { VCenterConnection } from './vsphere.ts';

/** The container all of Switchback's blobs lie in. Names are those of `domain/names.ts`. */
export interface VaultStorage {
  /** Write-once (`If-None-Match: *`). A repeated call with the name taken answers `exists` and changes nothing. */
  putOnce(name: string, body: Uint8Array, signal?: AbortSignal): Promise<'created' | 'exists'>;
  /** Replaces; with `ifMatch` only that version. Returns the new ETag, or null when another writer was first. */
  put(name: string, body: Uint8Array, ifMatch?: string): Promise<string | null>;
  get(
    name: string,
    signal?: AbortSignal,
  ): Promise<{ readonly body: Uint8Array; readonly etag: string } | null>;
  list(
    prefix: string,
    signal?: AbortSignal,
  ): AsyncIterable<{ readonly name: string; readonly bytes: number }>;
  /** Deletes the blob and its snapshots; absent is done. */
  delete(name: string): Promise<void>;
  replica(name: string): ReplicaBlob;
}

export interface ReplicaProperties {
  readonly bytes: number;
  readonly sequenceNumber: number;
  readonly metadata: Readonly<Record<string, string>>;
}

/** A page blob that holds a fixed VHD. */
export interface ReplicaBlob {
  readonly name: string;
  /** `bytes` includes the VHD footer. An existing blob of the same size is adopted. */
  create(bytes: number): Promise<void>;
  properties(): Promise<ReplicaProperties | null>;
  /**
   * Takes the pen: breaks an older writer's lease, sets the sequence number to `epoch`. From then on writers
   * of smaller epochs get DR_REPLICATION_FENCED, whatever they hold.
   * @throws DR_REPLICATION_FENCED when a greater epoch has written already.
   */
  fence(epoch: number, signal: AbortSignal): Promise<ReplicaWriter>;
  snapshots(): Promise<
    readonly { readonly snapshotId: string; readonly metadata: Readonly<Record<string, string>> }[]
  >;
  deleteSnapshot(snapshotId: string): Promise<void>;
  /** With `into`, the bytes are put there, and it is what is answered. */
  read(
    snapshotId: string | null,
    offset: number,
    length: number,
    signal?: AbortSignal,
    into?: Buffer,
  ): Promise<Uint8Array>;
  /** Ranges that hold data; of `inside` only, when it is given. */
  ranges(snapshotId: string | null, signal?: AbortSignal, inside?: Extent): AsyncIterable<Extent>;
  /** Starts a copy of a snapshot to a new page blob in the same account; an existing copy of the same source is adopted. */
  copySnapshot(snapshotId: string, toName: string): Promise<void>;
  /** Resolves when the copy into this blob has ended; DR_STORAGE_REFUSED when it failed. */
  awaitCopy(onProgress: OnProgress, signal: AbortSignal): Promise<void>;
  /** URL without any signature, as Azure's `Import` wants it. */
  readonly url: string;
}

/** All writes carry the lease and `ifSequenceNumberEqualTo: epoch`. */
export interface ReplicaWriter {
  /** `offset` and length are multiples of 512, length ≤ 4 MiB. */
  write(offset: number, bytes: Uint8Array): Promise<void>;
  clear(offset: number, length: number): Promise<void>;
  setMetadata(metadata: Readonly<Record<string, string>>): Promise<void>;
  /** Makes the blob `bytes` long: a multiple of 512, not below its length. What is new reads as zeros. */
  resize(bytes: number): Promise<void>;
  /** Carries the metadata of the blob. Calls for one blob must not overlap. */
  snapshot(): Promise<string>;
  /** Gives the lease back; safe to call in any state. */
  release(): Promise<void>;
}

/** Seals small secrets with the vault's key (AES-256-GCM; a file in the lab, Azure Key Vault in production). */
export interface VaultKey {
  readonly keyId: string;
  seal(plain: Uint8Array, context: string): Promise<Uint8Array>;
  /** @throws DR_KEY_MISSING when another key sealed it or it was altered. */
  open(sealed: Uint8Array, context: string): Promise<Uint8Array>;
}

/** Registered vCenters with their sealed credentials, kept in the storage account so that every site can read its own. */
export interface VCenterDirectory {
  save(connection: VCenterConnection): Promise<void>;
  /** @throws DR_VCENTER_UNKNOWN, DR_KEY_MISSING */
  load(id: VCenterId): Promise<VCenterConnection>;
  /** Forgets the sealed credential; absent is done. */
  remove(id: VCenterId): Promise<void>;
}
