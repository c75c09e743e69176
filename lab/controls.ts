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
  startWorkload(workload: Workload): Promise<void>;
  workload(machine: string): Promise<WorkloadFacts>;
  stopWorkload(machine: string): Promise<WorkloadFacts>;
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
    startWorkload: (workload) => client.post('/_lab/guest/workload', workload),
    workload: (machine) => client.get('/_lab/guest/workload', { machine }),
    stopWorkload: (machine) => client.delete('/_lab/guest/workload', { machine }),
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
