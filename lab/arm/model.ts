/** What the simulated subscription holds. Everything here is plain JSON: it is the text of the state log. */
import type { ShellRun } from './practice-shell.ts';

export type Json = string | number | boolean | null | Json[] | JsonObject;
export type JsonObject = { [key: string]: Json };
export type Tags = Readonly<Record<string, string>>;

export type ProvisioningState = 'Creating' | 'Updating' | 'Succeeded' | 'Failed' | 'Deleting';

interface ResourceOf<T extends string, Facts> {
  /** As written in the first PUT; compared without case. */
  readonly id: string;
  readonly type: T;
  readonly name: string;
  readonly location: string;
  readonly tags: Tags;
  readonly state: ProvisioningState;
  /** Body of the last accepted PUT: echoed in answers, compared to recognise a repeated request. */
  readonly body: JsonObject;
  readonly facts: Facts;
}

/** Read access granted by beginGetAccess; `token` is the first path segment of the URL handed out. */
export interface Access {
  readonly token: string;
  readonly signature: string;
  readonly policy: string;
  readonly expiresAt: number;
}

export interface DiskFacts {
  /** Layers of `bytes.ts`, oldest first. */
  readonly layers: readonly string[];
  /** Its bytes are all there. */
  readonly isFilled: boolean;
  /** Without VHD footer. */
  readonly bytes: number;
  readonly source: string;
  readonly uniqueId: string;
  readonly createdAt: string;
  readonly access: Access | null;
}

export interface SnapshotFacts extends DiskFacts {
  readonly incremental: boolean;
  /** Of the disk it is a copy of; incremental snapshots of one disk share it. */
  readonly familyId: string;
  /** Counts up with every snapshot of the subscription: tells which is older. */
  readonly number: number;
  /** How long its bytes are copied in the background after its operation has ended. */
  readonly copyMs: number;
}

export type PowerState = 'starting' | 'running' | 'stopping' | 'stopped' | 'deallocating' | 'deallocated';

export interface VmFacts {
  readonly vmId: string;
  readonly createdAt: string;
  readonly power: PowerState;
  readonly powerSince: string;
  readonly size: string;
  readonly cores: number;
  readonly availabilitySetId: string | null;
  readonly disks: readonly { readonly id: string; readonly deleteOption: string }[];
  readonly nics: readonly { readonly id: string; readonly deleteOption: string }[];
}

/** A script in a machine. */
export interface RunCommandFacts {
  readonly script: string;
  readonly timeoutSeconds: number;
  /** What it makes of itself, known when it begins; null: it has not. */
  readonly run:
    | (ShellRun & {
        /** ms since 1970. */
        readonly startedAt: number;
      })
    | null;
}

/** A guest that writes at random places of its disks, by the second. */
export interface Workload {
  /** Id of the machine. */
  readonly machine: string;
  readonly seed: number;
  readonly bytesPerSecond: number;
  readonly blockBytes: number;
  /** How many layers each disk had when it began. */
  readonly since: Readonly<Record<string, number>>;
  /** Set when it has ended. */
  readonly final: WorkloadFigures | null;
}

export interface WorkloadFigures {
  readonly bytes: number;
  /** Distinct blocks of 4 KiB. */
  readonly changedBlocks: number;
}

export interface PowerChange {
  readonly machine: string;
  /** ms since 1970. */
  readonly at: number;
  readonly state: PowerState | 'deleted';
}

export interface NicFacts {
  readonly macAddress: string;
  readonly guid: string;
  readonly addresses: readonly {
    readonly configuration: string;
    readonly subnetId: string;
    readonly address: string;
    readonly method: 'Static' | 'Dynamic';
  }[];
}

export interface SubnetDocument {
  readonly name: string;
  readonly addressPrefix: string;
  readonly properties: JsonObject;
}

export interface NetworkFacts {
  readonly guid: string;
  readonly subnets: readonly SubnetDocument[];
}

export type Group = ResourceOf<'Microsoft.Resources/resourceGroups', Record<string, never>>;
export type Disk = ResourceOf<'Microsoft.Compute/disks', DiskFacts>;
export type Snapshot = ResourceOf<'Microsoft.Compute/snapshots', SnapshotFacts>;
export type AvailabilitySet = ResourceOf<'Microsoft.Compute/availabilitySets', Record<string, never>>;
export type Vm = ResourceOf<'Microsoft.Compute/virtualMachines', VmFacts>;
export type RunCommand = ResourceOf<'Microsoft.Compute/virtualMachines/runCommands', RunCommandFacts>;
export type Nic = ResourceOf<'Microsoft.Network/networkInterfaces', NicFacts>;
export type Network = ResourceOf<'Microsoft.Network/virtualNetworks', NetworkFacts>;
export type Document = ResourceOf<
  'Microsoft.Network/publicIPAddresses' | 'Microsoft.Network/networkSecurityGroups',
  JsonObject
>;

export type Resource = Group | Disk | Snapshot | AvailabilitySet | Vm | RunCommand | Nic | Network | Document;
export type ResourceType = Resource['type'];
export type ResourceByType<T extends ResourceType> = Extract<Resource, { type: T }>;

export interface OperationError {
  readonly code: string;
  readonly message: string;
}

/** One long-running operation; its URL stays valid over restarts. */
export interface Operation {
  readonly id: string;
  readonly kind: string;
  readonly resourceId: string;
  readonly provider: string;
  readonly location: string;
  readonly apiVersion: string;
  readonly detail: JsonObject;
  readonly status: 'InProgress' | 'Succeeded' | 'Failed' | 'Canceled';
  readonly startedAt: number;
  /** Not finished before this time, ms since 1970. */
  readonly dueAt: number;
  readonly endedAt?: number;
  readonly failWith?: OperationError;
  readonly error?: OperationError;
  readonly output?: Json;
}

export interface Settings {
  /** Shortest duration of a disk or snapshot copy; the real copy may take longer. */
  readonly importMs: number;
  /** Background copy of a snapshot of a Premium SSD v2 or Ultra disk. */
  readonly snapshotCopyMs: number;
  /** Of one disk, incremental ones; 0: any number. Azure: 7. */
  readonly snapshotsPerFiveMinutes: number;
  readonly vmStartMs: number;
  readonly deleteMs: number;
  /** Duration of every other operation. */
  readonly operationMs: number;
  readonly tokenSeconds: number;
  /** 0: no Retry-After header, the client polls at its own interval. */
  readonly retryAfterSeconds: number;
  readonly pageSize: number;
  /** Most ranges in one answer of Get Page Ranges. */
  readonly pageRangesMax: number;
  /** Overrides of the limits in `resources/usages.ts`. */
  readonly quotas: Readonly<Record<string, number>>;
}

export const defaultSettings: Settings = {
  importMs: 0,
  snapshotCopyMs: 0,
  snapshotsPerFiveMinutes: 0,
  vmStartMs: 300,
  deleteMs: 0,
  operationMs: 0,
  tokenSeconds: 3_600,
  retryAfterSeconds: 0,
  pageSize: 100,
  pageRangesMax: 10_000,
  quotas: {},
};

export interface Fault {
  /** To find it again, or to withdraw it alone. */
  readonly name?: string | undefined;
  readonly method?: string | undefined;
  /** Regular expression over path and query, without case. */
  readonly path: string;
  readonly status?: number | undefined;
  readonly code?: string | undefined;
  readonly message?: string | undefined;
  readonly retryAfterSeconds?: number | undefined;
  readonly failOperation?: OperationError | undefined;
  /** The operation that the request begins takes this much longer; a deletion preempts it as any other. */
  readonly stuckMs?: number | undefined;
  readonly delayMs?: number | undefined;
  readonly resetConnection?: boolean | undefined;
  readonly skip: number;
  readonly count: number;
}
