/** Azure Resource Manager, as the product uses it. */
import type { ProtectedItemId, RunId } from '../ids.ts';
import type { Extent } from '../replication.ts';
import type { DiskSource } from './disks.ts';
import type { OnProgress } from './progress.ts';

export type RunMode = 'test' | 'real';

export interface RunScope {
  readonly runId: RunId;
  readonly itemId: ProtectedItemId;
  readonly mode: RunMode;
  readonly resourceGroup: string;
  /** The group is the operator's own: what the run makes there is removed one by one, the group stays. */
  readonly sharedGroup?: true;
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
  /** Of compute and of networking; without networking's where the credential may not read them. */
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
      /** Absent: Standard_LRS. */
      readonly diskType?: DiskType;
      readonly zone?: string;
      readonly tags?: Readonly<Record<string, string>>;
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
      readonly zone?: string;
      readonly availabilitySetId?: string;
      /** The operator's own, beside those of the run. */
      readonly tags?: Readonly<Record<string, string>>;
    },
  ): Promise<BegunOperation>;
  /** Resolves when the VM's power state is `running`. */
  awaitVmRunning(begun: BegunOperation, onProgress: OnProgress, signal: AbortSignal): Promise<AzureVm>;
  vm(resourceId: string): Promise<AzureVm | null>;
  /** Stops the VM and gives its hardware back: its disks cannot change any more. Null poller: it was so already, or is gone. */
  beginDeallocate(scope: RunScope, vmId: string): Promise<BegunOperation>;
  /** Resolves when the VM's power state is `deallocated`; DR_AZURE_OPERATION_FAILED when it is gone. */
  awaitDeallocated(begun: BegunOperation, onProgress: OnProgress, signal: AbortSignal): Promise<AzureVm>;
  /** Starts a deallocated VM; await with `awaitVmRunning`. */
  beginStart(scope: RunScope, vmId: string): Promise<BegunOperation>;
  /** Facts of a managed disk; null: it is gone. */
  disk(resourceId: string): Promise<AzureDiskFacts | null>;
  /** An incremental snapshot of a managed disk; one of that name and disk is adopted. */
  beginSnapshot(
    scope: RunScope,
    snapshot: { readonly name: string; readonly diskId: string },
  ): Promise<BegunOperation>;
  awaitSnapshot(begun: BegunOperation, onProgress: OnProgress, signal: AbortSignal): Promise<AzureSnapshot>;
  /** Null: there is none. */
  snapshot(resourceId: string): Promise<AzureSnapshot | null>;
  /** Snapshots in the scope's group that carry the run's tag. */
  listSnapshots(scope: RunScope): Promise<readonly AzureSnapshot[]>;
  /**
   * Takes back the grants to read snapshots of the run that a killed process has left, all but those of `exceptIds`;
   * a reader that still lives asks anew. Answers how many there were.
   */
  endSnapshotAccess(scope: RunScope, exceptIds?: readonly string[]): Promise<number>;
  /** Deletes a snapshot of the run; later ones of its family stay valid. Null poller: it is gone already. */
  beginDeleteSnapshot(scope: RunScope, resourceId: string): Promise<BegunOperation>;
  /**
   * Opens a snapshot for reading through SAS addresses that never leave this call's process; `close` revokes them.
   * With `previousId` (same family) `changedExtents` answers what differs from it, without it all ranges that hold data.
   * @throws DR_AZURE_SNAPSHOT_UNRELATED when the two are not of one family
   */
  openSnapshot(
    resourceId: string,
    previousId: string | null,
    signal: AbortSignal,
  ): Promise<AzureSnapshotSource>;
  /** @throws DR_AZURE_AVAILABILITY_SET_UNKNOWN */
  availabilitySet(resourceId: string): Promise<{
    readonly location: string;
    readonly vmIds: readonly string[];
    readonly vmSizes: readonly string[];
  }>;
  /** False: no resource group of that name exists. */
  resourceGroupExists(name: string): Promise<boolean>;
  /** Refuses with DR_AZURE_NAME_TAKEN a group that does not carry the run's tags. Null poller: the group is gone already. */
  beginDeleteResourceGroup(scope: RunScope): Promise<BegunOperation>;
  awaitDeleted(begun: BegunOperation, onProgress: OnProgress, signal: AbortSignal): Promise<void>;
  /** Ids of everything that carries the run's tag: groups and resources. */
  listByRun(runId: RunId): Promise<readonly string[]>;
}

export const diskTypes = ['Standard_LRS', 'StandardSSD_LRS', 'Premium_LRS'] as const;
export type DiskType = (typeof diskTypes)[number];

export interface AzureDiskFacts {
  readonly resourceId: string;
  readonly bytes: number;
  /** Changes when a disk is made anew under the same name: then nothing can be said about what changed. */
  readonly uniqueId: string;
  /** VM it is attached to. */
  readonly attachedTo: string | null;
}

export interface AzureSnapshot {
  readonly resourceId: string;
  readonly name: string;
  readonly diskId: string;
  readonly bytes: number;
  /** Snapshots of one family can be compared. */
  readonly familyId: string;
  /** ISO 8601 UTC, by Azure's clock. */
  readonly createdAt: string;
}

export interface AzureSnapshotSource extends DiskSource {
  /** Sorted, not overlapping; cleared ranges are among them and read as zeros. */
  changedExtents(signal: AbortSignal): AsyncIterable<Extent>;
}

export interface VmSize {
  readonly name: string;
  readonly cores: number;
  readonly memoryMiB: number;
  readonly dataDisksMax: number;
  /** Usage counter the size's cores count against, e.g. `standardDSv5Family`. */
  readonly family: string;
  readonly generations: readonly ('V1' | 'V2')[];
  /** Availability zones of the region that offer the size to this subscription; absent: not told. */
  readonly zones?: readonly string[];
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
