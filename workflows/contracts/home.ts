/**
 * The way home: what reprotect, failback and their commit ask of the site, of Azure and of the two processes that
 * move bytes in this direction. Bytes: Azure disk → incremental snapshot → process server in Azure → segments of the
 * reverse stream → master target → VMDK. Activities are named here and implemented in `activities/`.
 */
import type { DiskId, MachineId, ProtectedItemId, RunId } from '../../domain/ids.ts';
import type { JobError } from '../../domain/job.ts';
import type { FailbackPolicy, ItemSpec } from '../../domain/machine.ts';
import type { RunScope } from '../../domain/ports.ts';
import type { RecoveryPoint } from '../../domain/replication.ts';
import type { SessionOutcome } from './types.ts';

/** Where the machine comes home to. Absent fields: to where it was. */
export interface HomePlace {
  /** Set for another location: a new machine with new disks is made there. */
  readonly alternate?: {
    readonly datastore: string;
    /** One network for every interface of the machine. */
    readonly network: string;
    /** Absent: the machine's name. */
    readonly name?: string;
  };
}

/** The Azure machine that comes home. */
export interface AzureSide {
  readonly runId: RunId;
  readonly vmId: string;
  /** In disk order. */
  readonly diskIds: readonly string[];
  readonly resourceGroup: string;
  readonly sharedGroup?: true;
  readonly location: string;
  /** Point the disks were made from. */
  readonly point: RecoveryPoint;
  /** Snapshots of the disks before the first boot, in disk order; empty: none were taken, then a full copy is needed. */
  readonly baselineSnapshotIds: readonly string[];
}

export interface HomeDisk {
  /** Id in the reverse stream, `reverseDisk(…)`. */
  readonly diskId: DiskId;
  /** Id in the forward stream. */
  readonly forwardDiskId: DiskId;
  readonly index: number;
  readonly label: string;
  /** Of the VMDK. The Azure disk may be up to 1 MiB longer; what lies behind is not copied. */
  readonly capacityBytes: number;
  /** Device key in the home machine. */
  readonly deviceKey: number;
}

export interface HomeMachine {
  readonly machineId: MachineId;
  /** False: made by reprotect, and removed by its undo. */
  readonly isOriginal: boolean;
}

/** Everything the activities of one way home need; fixed once reprotect has found or made the machine. */
export interface HomeWay {
  readonly item: ItemSpec;
  readonly generation: number;
  /** `reverseStream(item.itemId, generation)`: names barriers, journal, key and landed state. */
  readonly stream: ProtectedItemId;
  readonly azure: AzureSide;
  readonly home: HomeMachine;
  readonly disks: readonly HomeDisk[];
  readonly policy: FailbackPolicy;
  /** Set once the machine runs at home: cancelling goes back to it. */
  readonly safetySnapshot?: string;
}

/** What the first reverse copy reads. */
export type HomeCopy =
  /** Changes in Azure since the baseline, and what changed at home since the point. */
  | 'changes'
  /** Blocks that differ by hash. */
  | 'compare'
  /** Everything, into new disks. */
  | 'full';

/** Result of a shipment or landing, for the job and for proof. */
export interface ReverseShipped {
  readonly barrierNumber: number;
  /** ISO 8601 UTC of the Azure snapshots, by Azure's clock. */
  readonly sourceTime: string;
  readonly readBytes: number;
  readonly rawBytes: number;
  readonly wireBytes: number;
}

export interface DiskDigest {
  readonly index: number;
  readonly label: string;
  /** SHA-256, hexadecimal, of the first `bytes` bytes. */
  readonly sha256: string;
  readonly bytes: number;
}

export interface ReverseSessionInput {
  readonly way: HomeWay;
  readonly sessionEpoch: number;
  /** ISO 8601; the session returns `sessionEnded` after this. */
  readonly endsAt: string;
  readonly reportRecovery: boolean;
}

/** Process server in Azure; queue `reverse.<region>`. */
export interface ReverseActivities {
  /** Preflight: somebody is there, and reads the storage account. */
  answerReverse(): Promise<{ readonly host: string }>;
  /**
   * First reverse copy: makes the stream's key, snapshots the Azure disks (number 1 and up), ships in windows. Resumes;
   * done at once when the stream has its first point. `sessionEpoch` as in forward sessions.
   */
  reverseFirstCopy(input: {
    readonly way: HomeWay;
    readonly sessionEpoch: number;
    readonly copy: HomeCopy;
    /** A resync: compare again although the stream has points. Absent or false: only the first copy. */
    readonly again?: boolean;
  }): Promise<ReverseShipped>;
  shipReverseSession(input: ReverseSessionInput): Promise<SessionOutcome>;
  /** Last delta of a deallocated machine; only a snapshot and barrier of this very attempt count. */
  shipReverseFinal(input: { readonly way: HomeWay; readonly sessionEpoch: number }): Promise<ReverseShipped>;
  /**
   * Whether anything was written in Azure since the barrier: ships once more and looks at every barrier behind that
   * one, so that a repeated call says the same.
   */
  azureWroteSince(input: {
    readonly way: HomeWay;
    readonly sessionEpoch: number;
    readonly barrierNumber: number;
  }): Promise<{ readonly wrote: boolean; readonly barrierNumber: number }>;
  /** Hashes the snapshots of that barrier, in disk order, up to the VMDK's capacity. */
  hashAzureDisks(input: { readonly way: HomeWay; readonly barrierNumber: number }): Promise<DiskDigest[]>;
}

/** Master target; queue `land.<site>`. Every call holds the writer's lock of the disks only while it writes. */
export interface LandActivities {
  /** Preflight: somebody is there; at most 60 disks at a time (Site Recovery's bound for a master target). */
  answerLand(): Promise<{ readonly host: string; readonly slots: number; readonly used: number }>;
  /**
   * Finds out what the home disks hold compared with the point: `changes` writes the drift (areas changed at home since
   * the point) to the storage account for the first copy to read; `compare` writes block hashes; both are
   * read-only for the disks.
   */
  describeHomeDisks(input: {
    readonly way: HomeWay;
    readonly epoch: number;
    /** A resync: always by hash. */
    readonly compareOnly?: boolean;
  }): Promise<{
    readonly copy: 'changes' | 'compare';
    readonly driftBytes: number;
  }>;
  landSession(input: ReverseSessionInput): Promise<SessionOutcome>;
  /** Lands everything up to the barrier; answers what the disks hold then. */
  landUntil(input: {
    readonly way: HomeWay;
    readonly sessionEpoch: number;
    readonly barrierNumber: number;
  }): Promise<{ readonly barrierNumber: number; readonly sourceTime: string }>;
  /** Newest state that is whole on all disks; null: none yet. A torn state (a barrier half written) says so. */
  newestLanded(input: {
    readonly way: HomeWay;
  }): Promise<{ readonly barrierNumber: number; readonly sourceTime: string; readonly torn: boolean } | null>;
  /** In disk order. */
  hashHomeDisks(input: { readonly way: HomeWay }): Promise<DiskDigest[]>;
  /** Journal, barriers, hashes, landed state and key of the stream go. */
  purgeReverseStream(input: { readonly way: HomeWay }): Promise<{ readonly deletedBlobs: number }>;
}

export type HomeSight = 'on' | 'off' | 'unseen';

/** vSphere calls of the way home; queues `site.<site>` and `urgent.site.<site>`. */
export interface HomeSiteActivities {
  /** Every prerequisite on the site that is missing, all at once; changes nothing. */
  checkHome(input: {
    readonly item: ItemSpec;
    readonly azure: AzureSide;
    readonly place: HomePlace;
  }): Promise<JobError[]>;
  /**
   * Finds the original machine (off, product snapshots removed, marked, change tracking left on until
   * `describeHomeDisks` has asked), or makes the new one. Idempotent by `homeMachineKey`.
   */
  prepareHomeMachine(input: {
    readonly item: ItemSpec;
    readonly azure: AzureSide;
    readonly place: HomePlace;
    readonly generation: number;
    readonly policy: FailbackPolicy;
  }): Promise<HomeWay>;
  /** Undo of the above: the mark goes; a machine that was made goes with its disks. */
  releaseHomeMachine(input: {
    readonly item: ItemSpec;
    readonly generation: number;
    readonly way?: HomeWay;
  }): Promise<void>;
  /** Change tracking off: VMDKs are written from outside from now on. */
  openHomeForWriting(input: { readonly way: HomeWay }): Promise<void>;
  /** Named after the barrier that the disks hold: one of an earlier try is another. */
  takeSafetySnapshot(input: {
    readonly way: HomeWay;
    readonly barrierNumber: number;
  }): Promise<{ readonly name: string }>;
  /**
   * Disks as they were landed, and the mark is back; the snapshot stays until it is dropped. `mayBeGone`: an undo that
   * is repeated has dropped it already.
   * @throws DR_VCENTER_PLACE_UNKNOWN when it is gone: then nobody can say what the disks hold
   */
  revertToSafetySnapshot(input: {
    readonly way: HomeWay;
    readonly name: string;
    readonly mayBeGone: boolean;
  }): Promise<void>;
  /** Absent is done. */
  dropSafetySnapshot(input: { readonly way: HomeWay; readonly name: string }): Promise<void>;
  /** Interfaces of an original machine stay as they are; those of a new one are connected. The mark goes. */
  connectHomeNetworks(input: { readonly way: HomeWay }): Promise<void>;
  /** Needs the fence: `number` must be what the fence record holds for this side. */
  powerOnHome(input: {
    readonly item: ItemSpec;
    readonly machineId: MachineId;
    readonly fence: number;
  }): Promise<{ readonly outcome: 'poweredOn' | 'alreadyOn' }>;
  powerOffHome(input: {
    readonly item: ItemSpec;
    readonly machineId: MachineId;
    readonly graceSeconds: number;
  }): Promise<{ readonly outcome: 'shutDown' | 'poweredOff' | 'alreadyOff' }>;
  homePowerState(input: {
    readonly item: ItemSpec;
    readonly machineId: MachineId;
  }): Promise<{ readonly state: 'poweredOn' | 'poweredOff' | 'suspended' | 'absent' }>;
  /**
   * Watches machines that must be off: answers as soon as what is seen is not `last`, or `sessionEnded`. `on`: any of
   * them runs. `unseen`: vCenter has not answered for a minute.
   */
  watchHome(input: {
    readonly item: ItemSpec;
    readonly machineIds: readonly MachineId[];
    readonly last: HomeSight;
    readonly endsAt: string;
  }): Promise<{ readonly outcome: HomeSight | 'sessionEnded' }>;
  /** Baseline of forward replication after a way home: tracking on, with a run of its own. */
  resumeChangeTracking(input: { readonly item: ItemSpec }): Promise<void>;
}

/** Azure calls of the way home and of its undo; queues `azure.<region>` and `urgent.azure.<region>`. */
export interface HomeAzureActivities {
  /** What is missing on the Azure side: the machine, its disks, their identity. Changes nothing. */
  checkAzureSide(input: { readonly item: ItemSpec; readonly azure: AzureSide }): Promise<JobError[]>;
  /** Snapshot 0 of every disk, before the machine is first started; in disk order. */
  takeBaseline(input: {
    readonly scope: RunScope;
    readonly machineName: string;
    readonly diskIds: readonly string[];
  }): Promise<{ readonly snapshotIds: string[] }>;
  /** Stops the VM and proves it: instance view says deallocated, or the VM is gone. */
  stopAzureMachine(input: { readonly item: ItemSpec; readonly azure: AzureSide }): Promise<{
    readonly state: 'deallocated' | 'absent';
  }>;
  /** As it is now; changes nothing. `absent`: there is no such machine. */
  azurePowerState(input: { readonly azure: AzureSide }): Promise<{ readonly state: string }>;
  /** Needs the fence, as `powerOnHome`. */
  startAzureMachine(input: {
    readonly item: ItemSpec;
    readonly azure: AzureSide;
    readonly fence: number;
  }): Promise<{ readonly state: string }>;
  /** Gives the right to run to one side; refuses numbers older than the one that is held. Answers the number. */
  takeFence(input: {
    readonly item: ItemSpec;
    readonly owner: 'onPremises' | 'azure';
    readonly number: number;
  }): Promise<{ readonly number: number }>;
  /** Who holds the right to run, and with which number: it outlives protection, so a new one counts on from there. */
  readFence(input: { readonly item: ItemSpec }): Promise<{
    readonly owner: 'onPremises' | 'azure';
    readonly number: number;
  }>;
  /** Snapshots 1 and up of a way home go; 0 stays. */
  deleteReverseSnapshots(input: { readonly way: HomeWay }): Promise<{ readonly deleted: number }>;
}

/** Forward resync and re-enable; the replica is compared, not copied again. */
export interface CompareActivities {
  /** Hashes the replica's blocks (queue `azure.<region>`); replication must have stopped and drained. */
  hashReplica(input: { readonly item: ItemSpec; readonly sessionEpoch: number }): Promise<{
    readonly epoch: number;
    /** Of the largest disk: small disks are compared by smaller blocks. */
    readonly blockBytes: number;
  }>;
}

export interface CompareMoveActivities {
  /** Ships what differs from the replica as one delta with a point (queue `move.<site>`). */
  shipDifferences(input: {
    readonly item: ItemSpec;
    readonly sessionEpoch: number;
    readonly hashes: { readonly epoch: number; readonly blockBytes: number };
  }): Promise<ReverseShipped>;
}
