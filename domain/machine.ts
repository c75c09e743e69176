/** What discovery knows of a VMware machine. Plain JSON; nothing here is decided from display text. */
import type { DiskType } from './ports/azure.ts';
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
  /** From the datacenter down, `/dc/vm/shop`. Absent: not asked for, or hidden from the account. */
  readonly folder?: string;
  /** `category/name`, sorted. Absent: not asked for, or vCenter did not tell. */
  readonly tags?: readonly string[];
}

export interface ReplicationPolicy {
  readonly id: PolicyId;
  /** Time between recovery points, 1 min - 1 h (5 s allowed where the configuration says so). */
  readonly intervalSeconds: number;
  /** Recovery points younger than this are kept; 0 keeps only the newest. ≤ 365 days. */
  readonly retentionHours: number;
  /** Health turns to warning when the newest durable point is older. */
  readonly rpoThresholdSeconds: number;
  /** Time between application-consistent points, 1-12 h; absent or 0: none. */
  readonly appConsistentHours?: number;
  /** Hours of the day (UTC) in which a resync may start by itself; absent: only when an operator asks. `from` may be after `to`: over midnight. */
  readonly autoResync?: { readonly fromHour: number; readonly toHour: number };
  /** Made with the policy. */
  readonly failback?: FailbackPolicy;
}

/** Made with every replication policy and used on the way home: an interval and a threshold, the newest point only. */
export interface FailbackPolicy {
  readonly id: PolicyId;
  readonly intervalSeconds: number;
  readonly rpoThresholdSeconds: number;
}

/** Share of the site's rate while several items have something to send: 4, 2 and 1 parts. */
export const priorities = ['high', 'normal', 'low'] as const;
export type Priority = (typeof priorities)[number];

export interface ProtectedDisk {
  readonly diskId: DiskId;
  readonly deviceKey: number;
  readonly label: string;
  readonly capacityBytes: number;
  /** 0 is the operating-system disk; order is the order in Azure. */
  readonly index: number;
  /** Protected after the first copy of the machine: it joins the stream with this barrier. */
  readonly joinedAtBarrier?: number;
}

/** What a machine was like when it was protected: from this it can be made anew at home. */
export interface Hardware {
  readonly guestId: string;
  readonly cpuCount: number;
  readonly memoryMiB: number;
  readonly nics: readonly DiscoveredNic[];
  /** Datastore of the first disk. */
  readonly datastore: string;
}

/** Where an item fails over to. Azure resource ids are complete (`/subscriptions/…`). */
export interface TargetSettings {
  readonly location: string;
  readonly vmSize: string;
  /** Subnet of a real failover. */
  readonly subnetId: string;
  /** Absent: next free address of the subnet. */
  readonly privateIpAddress?: string;
  /** Absent: Standard_LRS. */
  readonly diskType?: DiskType;
  /** An existing group of the operator's for a real failover; absent: the run makes a group of its own. */
  readonly resourceGroup?: string;
  /** At most one of the two. */
  readonly zone?: string;
  readonly availabilitySetId?: string;
  readonly tags?: Readonly<Record<string, string>>;
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
  /** Absent in items that were protected before it was recorded. */
  readonly hardware?: Hardware;
  /** A physical server: it comes home as a VMware machine of its own, never to where it was. */
  readonly isPhysical?: true;
  /** Device keys that were left out. */
  readonly excludedDisks?: readonly number[];
  /** Absent: normal. */
  readonly priority?: Priority;
}
