/** What only the practice ground can do: write as the guest, cut the power, look at bytes. The product knows none of it. */
import { labClient, type LabClient } from './http.ts';

export interface DiskHash {
  readonly sha256: string;
  readonly bytes: number;
  /** SHA-256 of each block, when `blockBytes` was given. */
  readonly blocks?: readonly string[];
}

export interface PracticeDisk {
  readonly deviceKey: number;
  readonly capacityBytes: number;
  /** `[datastore] folder/name.vmdk` of the file that is being written. */
  readonly fileName: string;
  readonly tracked: boolean;
}

export interface PracticeMachine {
  readonly name: string;
  readonly moRef: string;
  readonly instanceUuid: string;
  readonly powerState: 'poweredOn' | 'poweredOff';
  readonly snapshots: readonly { readonly name: string }[];
  readonly disks: readonly PracticeDisk[];
}

export interface Workload {
  readonly machine: string;
  readonly seed: number;
  readonly bytesPerSecond: number;
  readonly blockBytes?: number;
}

export interface WorkloadFacts {
  readonly running: boolean;
  readonly bytes: number;
}

export interface VCenterWorkloadFacts extends WorkloadFacts {
  /** Distinct blocks of 4 KiB that were written since it began, in bytes. */
  readonly changedBytes: number;
}

/** Times are ms since 1970. Machines that were destroyed are in it too; a machine is off until its first change. */
export interface VCenterHistory {
  readonly machine: string;
  readonly moRef: string;
  readonly power: readonly { readonly atMs: number; readonly on: boolean }[];
  /** Exports of a disk for writing; spans of one disk never overlap. */
  readonly writers: readonly {
    /** Device key. */
    readonly disk: number;
    readonly export: string;
    readonly openedAtMs: number;
    /** Null: still open. */
    readonly closedAtMs: number | null;
  }[];
}

export interface GuestDisk {
  readonly host: string;
  readonly port: number;
  readonly exportName: string;
}

export interface FrozenSnapshot {
  readonly name: string;
  /** ISO 8601 UTC; the disks were frozen right behind it. */
  readonly takenAt: string;
}

export interface PracticeDatastore {
  readonly name: string;
  readonly capacityBytes: number;
  readonly freeBytes: number;
  readonly accessible: boolean;
}

export interface PracticeHost {
  readonly name: string;
  readonly connected: boolean;
  readonly machines: readonly string[];
}

/** `failing`: quiescing ends in ApplicationQuiesceFault; `missing`: it ends in ToolsUnavailable, as a guest shutdown does. */
export type GuestTools = 'running' | 'failing' | 'missing';

export interface SourceHash {
  readonly machine: string;
  readonly deviceKey: number;
  /** Disk as it was frozen in this snapshot, even after its removal; absent: as it is now. */
  readonly snapshot?: string;
  readonly padToBytes?: number;
  readonly blockBytes?: number;
}

export interface VCenterControls {
  readonly client: LabClient;
  machines(): Promise<readonly PracticeMachine[]>;
  machine(name: string): Promise<PracticeMachine>;
  hash(disk: SourceHash): Promise<DiskHash>;
  /** Seeded bytes written by the guest. */
  write(at: {
    readonly machine: string;
    readonly deviceKey: number;
    readonly offset: number;
    readonly seed: number;
    readonly length: number;
  }): Promise<void>;
  /** Bytes written by the guest, a MiB at most. */
  writeBytes(at: {
    readonly machine: string;
    readonly deviceKey: number;
    readonly offset: number;
    readonly bytes: Buffer;
  }): Promise<void>;
  /** Where the guest's operating system reaches its disk by NBD while the machine runs; a new address ends the one before. */
  guestDisk(at: { readonly machine: string; readonly deviceKey: number }): Promise<GuestDisk>;
  /** Every snapshot the machine ever had, oldest first. */
  frozen(machine: string): Promise<readonly FrozenSnapshot[]>;
  startWorkload(workload: Workload): Promise<void>;
  workload(machine: string): Promise<VCenterWorkloadFacts>;
  stopWorkload(machine: string): Promise<VCenterWorkloadFacts>;
  setTools(machine: string, tools: GuestTools): Promise<void>;
  /**
   * Behind everybody's back: the button, after which the guest writes a block of each disk, or a power cut.
   * @throws Error while a disk is open for writing, unless `force` breaks those locks
   */
  power(machine: string, on: boolean, options?: { readonly force?: boolean }): Promise<void>;
  /** One machine's history, or null when nothing happened to it. */
  history(machine: string): Promise<VCenterHistory | null>;
  histories(): Promise<readonly VCenterHistory[]>;
  /** As the machine's administrator; answers the device key. */
  addDisk(disk: {
    readonly machine: string;
    readonly mib: number;
    readonly filesystem?: 'ext4';
    readonly seed?: number;
    readonly datastore?: string;
  }): Promise<number>;
  /** @throws Error below a snapshot */
  growDisk(disk: {
    readonly machine: string;
    readonly deviceKey: number;
    readonly capacityBytes: number;
  }): Promise<void>;
  datastores(): Promise<readonly PracticeDatastore[]>;
  /** `freeBytes` sets the capacity to what is used and that much more. */
  setDatastore(
    datastore: string,
    change: { readonly capacityBytes?: number; readonly freeBytes?: number; readonly accessible?: boolean },
  ): Promise<void>;
  hosts(): Promise<readonly PracticeHost[]>;
  setHost(host: string, connected: boolean): Promise<void>;
  /** Privileges the user lacks from now on; the list replaces the one before. */
  setMissingPrivileges(user: string, missing: readonly string[]): Promise<void>;
  /** Exactly these, `category/tag`. */
  setTags(machine: string, tags: readonly string[]): Promise<void>;
  /** The REST API that keeps tags answers every request with this HTTP status; 0: it works again. */
  setTagging(status: number): Promise<void>;
  /** How long a disk stays locked after the last connection of its writer; 10,000 at first. */
  setWriteLease(ms: number): Promise<void>;
}

export function vcenterControls(url: string, certificateFile: string): VCenterControls {
  const client = labClient(url, certificateFile);
  const machines = () => client.get<PracticeMachine[]>('/_lab/machines');
  return {
    client,
    machines,
    async machine(name) {
      const found = (await machines()).find((machine) => machine.name === name);
      if (found === undefined) throw new Error(`the practice vCenter has no machine ${name}`);
      return found;
    },
    hash: (disk) => client.get('/_lab/hash', { ...disk }),
    write: (at) => client.post('/_lab/guest/write', at),
    async writeBytes({ bytes, ...at }) {
      await client.post('/_lab/guest/write', { ...at, hex: bytes.toString('hex') });
    },
    guestDisk: (at) => client.post('/_lab/guest/disk', at),
    frozen: (machine) => client.get('/_lab/frozen', { machine }),
    startWorkload: (workload) => client.post('/_lab/guest/workload', workload),
    workload: (machine) => client.get('/_lab/guest/workload', { machine }),
    stopWorkload: (machine) => client.delete('/_lab/guest/workload', { machine }),
    setTools: (machine, tools) => client.post('/_lab/guest/tools', { machine, tools }),
    async power(machine, on, { force = false } = {}) {
      await client.post('/_lab/power', { machine, state: on ? 'poweredOn' : 'poweredOff', force });
    },
    async history(machine) {
      return (await client.get<VCenterHistory[]>('/_lab/history', { machine })).at(-1) ?? null;
    },
    histories: () => client.get('/_lab/history'),
    async addDisk(disk) {
      return (await client.post<{ deviceKey: number }>('/_lab/disk/add', disk)).deviceKey;
    },
    growDisk: (disk) => client.post('/_lab/disk/grow', disk),
    datastores: () => client.get('/_lab/datastores'),
    setDatastore: (datastore, change) => client.post('/_lab/datastore', { datastore, ...change }),
    hosts: () => client.get('/_lab/hosts'),
    setHost: (host, connected) => client.post('/_lab/host', { host, connected }),
    setMissingPrivileges: (user, missing) => client.post('/_lab/privileges', { user, missing }),
    setTags: (machine, tags) => client.post('/_lab/tags', { machine, tags }),
    setTagging: (status) => client.post('/_lab/tagging', { status }),
    setWriteLease: (ms) => client.post('/_lab/write-lease', { ms }),
  };
}

export interface AzureResource {
  readonly id: string;
  readonly type: string;
  readonly name: string;
  readonly tags: Readonly<Record<string, string>>;
}

export interface AzureWorkloadFacts extends WorkloadFacts {
  /** Distinct blocks of 4 KiB changed since it began. */
  readonly changedBlocks: number;
}

/** Times are ms since 1970; deleted machines and disks are in it too. */
export interface AzureHistory {
  readonly machines: readonly {
    readonly id: string;
    readonly power: readonly { readonly at: number; readonly state: string }[];
  }[];
  readonly disks: readonly {
    readonly id: string;
    /** Writes of one power cycle without a pause of more than a second are one. */
    readonly writes: readonly {
      readonly writer: 'import' | 'guest';
      readonly firstAt: number;
      readonly lastAt: number;
      readonly bytes: number;
    }[];
  }[];
}

export interface ArmControls {
  readonly client: LabClient;
  resources(): Promise<readonly AzureResource[]>;
  hash(id: string, blockBytes?: number): Promise<DiskHash>;
  /** Seeded bytes written by the guest to a disk of a machine that runs. */
  write(at: {
    readonly id: string;
    readonly offset: number;
    readonly seed: number;
    readonly length: number;
  }): Promise<void>;
  /** The guest gives whole 4 KiB blocks back: they read as zeros. */
  clear(at: { readonly id: string; readonly offset: number; readonly length: number }): Promise<void>;
  /** `machine` is the id of a machine that runs; the workload ends when the machine stops. */
  startWorkload(workload: Workload): Promise<void>;
  workload(machine: string): Promise<AzureWorkloadFacts>;
  stopWorkload(machine: string): Promise<AzureWorkloadFacts>;
  history(): Promise<AzureHistory>;
}

export function armControls(url: string, caFile: string): ArmControls {
  const client = labClient(url, caFile);
  return {
    client,
    resources: () => client.get('/_lab/resources'),
    hash: (id, blockBytes) => client.get('/_lab/disks/hash', { id, blockBytes }),
    write: (at) => client.post('/_lab/disks/write', at),
    clear: (at) => client.post('/_lab/disks/clear', at),
    startWorkload: (workload) => client.post('/_lab/guest/workload', workload),
    workload: (machine) => client.get('/_lab/guest/workload', { machine }),
    stopWorkload: (machine) => client.delete('/_lab/guest/workload', { machine }),
    history: () => client.get('/_lab/history'),
  };
}
