/**
 * The interfaces behind which the outside world stands. `providers/` implements them with the real clients,
 * `activities/` and `dataplane/` use them, only `workers/` wires them. Every method may throw a `DrError`
 * of the catalogue; anything else is a bug. Methods are idempotent unless their comment says otherwise.
 */
import type { Extent } from './replication.ts';
import type { DiscoveredMachine, PowerState } from './machine.ts';
import type { MachineId, ProtectedItemId, RunId, VCenterId } from './ids.ts';

// ---------------------------------------------------------------- secrets

/** Prints as `•••` however it is formatted; only `reveal()` gives the text. */
export class Secret {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  reveal(): string {
    return this.#text;
  }

  toString(): string {
    return '•••';
  }

  toJSON(): string {
    return '•••';
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return '•••';
  }
}

// ---------------------------------------------------------------- vSphere

export interface PeerCertificate {
  /** Upper-case hexadecimal pairs joined by colons, over the DER leaf. */
  readonly sha256: string;
  readonly subject: string;
  readonly notAfter: string;
  readonly pem: string;
}

export interface VCenterConnection {
  readonly id: VCenterId;
  /** `https://host[:port]`, no path. */
  readonly url: string;
  readonly username: string;
  readonly password: Secret;
  /** Pinned on first contact; anything else is refused with DR_VCENTER_CERTIFICATE_CHANGED. */
  readonly certificate: Pick<PeerCertificate, 'sha256' | 'pem'>;
}

export interface VSphere {
  /** Shows the certificate without trusting it and without sending a credential. */
  fetchCertificate(url: string, signal?: AbortSignal): Promise<PeerCertificate>;
  /** One session per process and vCenter; logs in on first use, again when the session is lost. */
  session(connection: VCenterConnection): VCenterSession;
  /** Logs out everywhere. */
  close(): Promise<void>;
}

export interface MachineSnapshot {
  readonly name: string;
  readonly moRef: string;
  /** ISO 8601 UTC, by the source's clock. */
  readonly createdAt: string;
  readonly quiesced: boolean;
  readonly disks: readonly SnapshotDisk[];
}

export interface SnapshotDisk {
  readonly deviceKey: number;
  readonly capacityBytes: number;
  /** Null: change tracking is not active for the disk. */
  readonly changeId: string | null;
  readonly fileName: string;
}

/** Called on every sign of life, so that an activity can heartbeat. */
export type OnProgress = (percent?: number) => void;

export interface VCenterSession {
  about(): Promise<{ readonly name: string; readonly version: string; readonly instanceUuid: string }>;
  /** Pages of at most 100 machines. */
  listMachines(signal?: AbortSignal): AsyncIterable<DiscoveredMachine[]>;
  /** @throws DR_MACHINE_UNKNOWN */
  getMachine(id: MachineId): Promise<DiscoveredMachine>;
  /** Turns changed-block tracking on and makes it take effect (a snapshot is made and removed when it was off). */
  enableChangeTracking(machine: MachineId, onProgress: OnProgress): Promise<void>;
  /** Adopts an existing snapshot of that name, and a task under way for it. */
  createSnapshot(
    machine: MachineId,
    snapshot: { readonly name: string; readonly description: string; readonly quiesce: boolean },
    onProgress: OnProgress,
  ): Promise<MachineSnapshot>;
  findSnapshot(machine: MachineId, name: string): Promise<MachineSnapshot | null>;
  /**
   * Removes the product snapshots of the item but `keep`; with `notAfter` only names up to it, so that an old
   * attempt cannot remove what a newer one reads from. Absent is done. Foreign snapshots are never touched.
   */
  removeSnapshots(
    machine: MachineId,
    item: ProtectedItemId,
    keep: string | null,
    onProgress: OnProgress,
    notAfter?: string,
  ): Promise<void>;
  /**
   * Areas changed since `changeId` (`*`: areas ever written), sorted, not overlapping. Loops over vCenter's pages.
   * @throws DR_REPLICATION_CBT_RESET when the changeId is of another tracking run or vCenter cannot answer.
   */
  changedAreas(
    machine: MachineId,
    query: { readonly snapshot: MachineSnapshot; readonly deviceKey: number; readonly changeId: string },
  ): AsyncIterable<Extent>;
  powerState(machine: MachineId): Promise<PowerState>;
  /** Asks the guest to shut down, after `graceSeconds` powers off. Resolves when off was observed. */
  powerOff(
    machine: MachineId,
    graceSeconds: number,
    onProgress: OnProgress,
  ): Promise<'guestShutdown' | 'poweredOff' | 'alreadyOff'>;
}

/** Says how the bytes of a VMware disk are reached: always an NBD export, see docs/disk-transport.md. */
export interface DiskTransport {
  open(request: {
    readonly connection: VCenterConnection;
    readonly machineMoRef: string;
    readonly snapshotMoRef: string;
    readonly disk: SnapshotDisk;
    readonly signal: AbortSignal;
  }): Promise<DiskExport>;
}

export interface DiskExport {
  readonly host: string;
  readonly port: number;
  /** Set instead of host and port for a UNIX socket. */
  readonly socketPath?: string;
  readonly exportName: string;
  /** PEM of the certificate to trust; absent: plain TCP, allowed on loopback only. */
  readonly tlsCertificate?: string;
  close(): Promise<void>;
}

// ---------------------------------------------------------------- storage account

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
  read(snapshotId: string | null, offset: number, length: number, signal?: AbortSignal): Promise<Uint8Array>;
  /** Ranges that hold data. */
  ranges(snapshotId: string | null, signal?: AbortSignal): AsyncIterable<Extent>;
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

// ---------------------------------------------------------------- Azure Resource Manager

export type RunMode = 'test' | 'real';

export interface RunScope {
  readonly runId: RunId;
  readonly itemId: ProtectedItemId;
  readonly mode: RunMode;
  readonly resourceGroup: string;
  readonly location: string;
}

/**
 * What `begin…` returns: a resumable poller, or null when the resource was there already (adopted).
 * Holds no credential and no SAS. `await…` falls back to GET when the operation is not known any more.
 */
export interface BegunOperation {
  readonly resourceId: string;
  readonly poller: string | null;
}

export interface AzureDisk {
  readonly resourceId: string;
  readonly bytes: number;
}

export interface AzureVm {
  readonly resourceId: string;
  readonly provisioningState: string;
  /** `running`, `stopped`, `deallocated`, `starting`, …; from the instance view. */
  readonly powerState: string;
}

export interface Cloud {
  vmSizes(location: string): Promise<readonly VmSize[]>;
  usages(
    location: string,
  ): Promise<readonly { readonly name: string; readonly used: number; readonly limit: number }[]>;
  /** @throws DR_AZURE_NETWORK_UNKNOWN */
  subnet(subnetId: string): Promise<SubnetFacts>;
  ensureResourceGroup(scope: RunScope): Promise<void>;
  beginDiskImport(
    scope: RunScope,
    disk: {
      readonly name: string;
      readonly sourceUrl: string;
      readonly isOsDisk: boolean;
      readonly osType: 'Linux' | 'Windows';
      readonly generation: 'V1' | 'V2';
    },
  ): Promise<BegunOperation>;
  awaitDisk(begun: BegunOperation, onProgress: OnProgress, signal: AbortSignal): Promise<AzureDisk>;
  beginNic(
    scope: RunScope,
    nic: { readonly name: string; readonly subnetId: string; readonly privateIpAddress?: string },
  ): Promise<BegunOperation>;
  awaitNic(
    begun: BegunOperation,
    onProgress: OnProgress,
    signal: AbortSignal,
  ): Promise<{ readonly resourceId: string; readonly privateIpAddress: string }>;
  beginVm(
    scope: RunScope,
    vm: {
      readonly name: string;
      readonly size: string;
      readonly osType: 'Linux' | 'Windows';
      /** First is the operating-system disk; the others are attached in order as LUN 0, 1, … */
      readonly diskIds: readonly string[];
      readonly nicId: string;
    },
  ): Promise<BegunOperation>;
  /** Resolves when the VM's power state is `running`. */
  awaitVmRunning(begun: BegunOperation, onProgress: OnProgress, signal: AbortSignal): Promise<AzureVm>;
  vm(resourceId: string): Promise<AzureVm | null>;
  /** Refuses with DR_AZURE_NAME_TAKEN a group that does not carry the run's tags. Null poller: the group is gone already. */
  beginDeleteResourceGroup(scope: RunScope): Promise<BegunOperation>;
  awaitDeleted(begun: BegunOperation, onProgress: OnProgress, signal: AbortSignal): Promise<void>;
  /** Ids of everything that carries the run's tag: groups and resources. */
  listByRun(runId: RunId): Promise<readonly string[]>;
}

export interface VmSize {
  readonly name: string;
  readonly cores: number;
  readonly memoryMiB: number;
  readonly dataDisksMax: number;
  /** Usage counter the size's cores count against, e.g. `standardDSv5Family`. */
  readonly family: string;
  readonly generations: readonly ('V1' | 'V2')[];
  /** Absent: available. */
  readonly restriction?: string;
}

export interface SubnetFacts {
  readonly subnetId: string;
  readonly networkId: string;
  readonly addressPrefix: string;
  /** Names of what makes the network reach others: peerings, gateways, public addresses. Empty: isolated. */
  readonly reaches: readonly string[];
  readonly usedAddresses: readonly { readonly address: string; readonly owner: string }[];
}

// ---------------------------------------------------------------- data plane

/** Where disk bytes come from. Reads are sector aligned. */
export interface DiskSource {
  readonly capacityBytes: number;
  /** Fills `into` from `offset`. */
  read(offset: number, into: Uint8Array, signal: AbortSignal): Promise<void>;
  /** Parts of the range that may hold data; a source without block status returns the range itself. */
  dataExtents(range: Extent, signal: AbortSignal): Promise<readonly Extent[]>;
  close(): Promise<void>;
}
