/** vCenter, as the product uses it. */
import type { MachineId, ProtectedItemId, VCenterId } from '../ids.ts';
import type { DiscoveredMachine, PowerState } from '../machine.ts';
import type { Extent } from '../replication.ts';
import type { OnProgress } from './progress.ts';
import type { Secret } from './secret.ts';

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

export interface VCenterSession {
  about(): Promise<{ readonly name: string; readonly version: string; readonly instanceUuid: string }>;
  /** Pages of at most 100 machines. */
  listMachines(signal?: AbortSignal): AsyncIterable<DiscoveredMachine[]>;
  /** Tags of machines by managed object id, `category/tag`, sorted; a machine without any is absent. @throws DR_VCENTER_TAGS_UNREADABLE */
  machineTags(signal?: AbortSignal): Promise<ReadonlyMap<string, readonly string[]>>;
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
  /** As its guest reports it; null: it reports none. */
  guestAddress(machine: MachineId): Promise<string | null>;
  /**
   * Asks the guest to shut down, after `graceSeconds` powers off. Resolves when off was observed. The power is not cut
   * any more once `signal` is aborted.
   */
  powerOff(
    machine: MachineId,
    graceSeconds: number,
    onProgress: OnProgress,
    signal?: AbortSignal,
  ): Promise<'guestShutdown' | 'poweredOff' | 'alreadyOff'>;
  /** Resolves when on was observed. @throws DR_MACHINE_FILE_LOCKED while its disks are being written */
  powerOn(machine: MachineId, onProgress: OnProgress): Promise<'poweredOn' | 'alreadyOn'>;

  // What comes home: machines, their disks and networks.
  /** Null: no machine of that id is registered. */
  findMachine(id: MachineId): Promise<DiscoveredMachine | null>;
  /**
   * Makes a machine that is off, with empty thin disks in the order given. One that carries the same `key` in its
   * extra configuration is adopted.
   * @throws DR_VCENTER_PLACE_UNKNOWN when datastore, pool, folder or network do not exist
   */
  createMachine(machine: MachineBlueprint, onProgress: OnProgress): Promise<DiscoveredMachine>;
  /** Deletes a machine made by `createMachine` with this `key`, with its disks; absent is done. Any other is refused. */
  destroyMachine(machine: MachineId, key: string, onProgress: OnProgress): Promise<void>;
  /** The machine's disks become again what they were in the product snapshot of that name. */
  revertToSnapshot(machine: MachineId, name: string, onProgress: OnProgress): Promise<void>;
  /** Removes one product snapshot; absent is done. */
  removeSnapshot(machine: MachineId, name: string, onProgress: OnProgress): Promise<void>;
  /** A line in the machine's notes that says why nobody should power it on; null takes it away. The notes of others stay. */
  setMarker(machine: MachineId, text: string | null, onProgress: OnProgress): Promise<void>;
  /** Off before disks are written from outside, on with a fresh tracking run afterwards (see docs/vcenter-role.md). */
  setChangeTracking(machine: MachineId, enabled: boolean, onProgress: OnProgress): Promise<void>;
  /** Connects network interfaces to networks by name; `connected` is for the next power-on. */
  connectNics(
    machine: MachineId,
    nics: readonly {
      readonly deviceKey: number;
      readonly networkName: string;
      readonly connected: boolean;
    }[],
    onProgress: OnProgress,
  ): Promise<void>;
  datastores(): Promise<readonly DatastoreFacts[]>;
  networkNames(): Promise<readonly string[]>;
  /** Those of the privilege ids that this account does not hold on the machine, or on the root folder for null. */
  missingPrivileges(machine: MachineId | null, privileges: readonly string[]): Promise<readonly string[]>;
}

export interface DatastoreFacts {
  readonly name: string;
  readonly capacityBytes: number;
  readonly freeBytes: number;
  readonly accessible: boolean;
}

/** What a machine is made from when it comes home to another place than its own. */
export interface MachineBlueprint {
  /** Finds the machine again after a crash: kept in its extra configuration as `switchback.key`. */
  readonly key: string;
  readonly name: string;
  readonly guestId: string;
  readonly firmware: 'bios' | 'efi';
  readonly cpuCount: number;
  readonly memoryMiB: number;
  /** First is the operating-system disk. */
  readonly disks: readonly { readonly capacityBytes: number }[];
  readonly nics: readonly { readonly networkName: string }[];
  readonly datastore: string;
}
