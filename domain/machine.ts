/** What discovery knows of a VMware machine. Plain JSON; nothing here is decided from display text. */
import type { DiskId, MachineId, PolicyId, ProtectedItemId, VCenterId } from './ids.ts';

export type PowerState = 'poweredOn' | 'poweredOff' | 'suspended';

export interface DiscoveredDisk {
  readonly deviceKey: number;
  readonly label: string;
  readonly capacityBytes: number;
  /** `flat`, `seSparse` and `sparse` can be replicated; raw device mappings cannot. */
  readonly backing: 'flat' | 'seSparse' | 'sparse' | 'rdmPhysical' | 'rdmVirtual' | 'other';
  /** Datastore path of the disk, `[datastore] folder/disk.vmdk`. */
  readonly fileName: string;
  readonly diskMode: string;
  /** Shared bus or multi-writer disks cannot be tracked. */
  readonly shared: boolean;
}

export interface DiscoveredNic {
  readonly deviceKey: number;
  readonly macAddress: string;
  readonly networkName: string;
}

export interface DiscoveredMachine {
  readonly id: MachineId;
  readonly vcenterId: VCenterId;
  /** vSphere managed object id, `vm-42`; changes when the machine is re-registered. */
  readonly moRef: string;
  readonly name: string;
  readonly powerState: PowerState;
  readonly guestId: string;
  readonly guestFamily: 'linux' | 'windows' | 'other';
  readonly firmware: 'bios' | 'efi';
  readonly cpuCount: number;
  readonly memoryMiB: number;
  readonly disks: readonly DiscoveredDisk[];
  readonly nics: readonly DiscoveredNic[];
  /** Names of all snapshots in the tree, product snapshots included. */
  readonly snapshotNames: readonly string[];
  readonly changeTrackingSupported: boolean;
  readonly changeTrackingEnabled: boolean;
}

export interface ReplicationPolicy {
  readonly id: PolicyId;
  /** Time between recovery points, 1 min - 1 h (5 s allowed where the configuration says so). */
  readonly intervalSeconds: number;
  /** Recovery points younger than this are kept; 0 keeps only the newest. ≤ 365 days. */
  readonly retentionHours: number;
  /** Health turns to warning when the newest durable point is older. */
  readonly rpoThresholdSeconds: number;
}

export interface ProtectedDisk {
  readonly diskId: DiskId;
  readonly deviceKey: number;
  readonly label: string;
  readonly capacityBytes: number;
  /** 0 is the operating-system disk; order is the order in Azure. */
  readonly index: number;
}

/** Where an item fails over to. Azure resource ids are complete (`/subscriptions/…`). */
export interface TargetSettings {
  readonly location: string;
  readonly vmSize: string;
  /** Subnet of a real failover. */
  readonly subnetId: string;
  /** Absent: next free address of the subnet. */
  readonly privateIpAddress?: string;
}

/** Everything needed to replicate and fail over one item; also lies in `items/<item>.json`. */
export interface ItemSpec {
  readonly version: 1;
  readonly itemId: ProtectedItemId;
  readonly machineId: MachineId;
  readonly machineName: string;
  readonly vcenterId: VCenterId;
  readonly site: string;
  readonly guestFamily: DiscoveredMachine['guestFamily'];
  readonly firmware: DiscoveredMachine['firmware'];
  readonly disks: readonly ProtectedDisk[];
  readonly policy: ReplicationPolicy;
  readonly target: TargetSettings;
}
