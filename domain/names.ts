/**
 * Deterministic names: what a step makes is found again by its name after a crash.
 * Pure functions; the hash is passed in as text because workflow code has no `crypto`.
 */
import type { DiskId, ProtectedItemId, RecoveryPointId, RunId } from './ids.ts';

/** Tag on every Azure resource of a run; cleanup is proven by an empty listing by this tag. */
export const RUN_TAG = 'switchback-run';
/** Tag naming the protected item a resource belongs to. */
export const ITEM_TAG = 'switchback-item';
/** Tag with the run's mode: `test` or `real`. Cleanup refuses to delete a group that is not `test`. */
export const MODE_TAG = 'switchback-mode';

/** The page of names below is the layout of the storage account's container (ARCHITECTURE.md, "Where things lie"). */
export const blobNames = {
  segment: (disk: DiskId, epoch: number, firstSeq: number) =>
    `journal/${disk}/${pad(epoch, 16)}/${pad(firstSeq, 12)}.seg`,
  journalPrefix: (disk: DiskId) => `journal/${disk}/`,
  /** Write-once: which segments make up barrier `number`. Segments no barrier names are garbage. */
  barrier: (item: ProtectedItemId, number: number) => `barriers/${item}/${pad(number, 8)}.json`,
  barrierPrefix: (item: ProtectedItemId) => `barriers/${item}/`,
  replica: (item: ProtectedItemId, disk: DiskId) => `replica/${item}/${disk}.vhd`,
  replicaPrefix: (item: ProtectedItemId) => `replica/${item}/`,
  point: (item: ProtectedItemId, sourceTime: string, point: RecoveryPointId) =>
    `points/${item}/${sourceTime}-${point}.json`,
  pointPrefix: (item: ProtectedItemId) => `points/${item}/`,
  /** Keeps a point from retention while a run copies it. */
  pin: (item: ProtectedItemId, point: RecoveryPointId, run: RunId) => `pins/${item}/${point}-${run}.json`,
  pins: 'pins/',
  pinPrefix: (item: ProtectedItemId) => `pins/${item}/`,
  item: (item: ProtectedItemId) => `items/${item}.json`,
  key: (item: ProtectedItemId) => `keys/${item}.json`,
  /** Which side has the right to run the machine. */
  fence: (item: ProtectedItemId) => `fences/${item}.json`,
  /** How far the disks at home hold the reverse stream. */
  landed: (stream: ProtectedItemId) => `landed/${stream}.json`,
  /** Hash of every block of a disk, to compare by. Made new for each comparison. */
  blockHashes: (stream: ProtectedItemId, disk: DiskId, epoch: number) =>
    `hashes/${stream}/${disk}-${pad(epoch, 16)}.bin`,
  blockHashesPrefix: (stream: ProtectedItemId) => `hashes/${stream}/`,
  /** Write-once: keyed hashes of some blocks of the source as it was at barrier `number`. Ends with the barrier's point. */
  scrubSample: (item: ProtectedItemId, number: number) => `scrub/${item}/${pad(number, 8)}.json`,
  /** Write-once: where the point of barrier `number` was found to differ from its source. Ends with the point. */
  scrubFinding: (item: ProtectedItemId, number: number) => `scrub/${item}/${pad(number, 8)}-differs.json`,
  /** What scrubbing has come to; replaced after every comparison. */
  scrubState: (item: ProtectedItemId) => `scrub/${item}/state.json`,
  scrubPrefix: (item: ProtectedItemId) => `scrub/${item}/`,
  /** Write-once: what a run of a plan leaves for an auditor; docs/evidence.md. */
  evidence: (plan: string, run: string) => `evidence/${plan}/${run}.html`,
  /** Write-once: the end of the serial console log of a machine that the run has started. */
  bootLog: (plan: string, run: string, item: ProtectedItemId) => `evidence/${plan}/${run}/${item}.log`,
  /** Sealed vCenter credential; the plain text exists only in the memory of the process server. */
  vcenter: (id: string) => `vcenters/${id}.json`,
  /** Page blob a run copies a recovery point's disk to; Azure imports it as a managed disk. */
  staged: (run: RunId, disk: DiskId) => `failover/${run}/${disk}.vhd`,
  stagedPrefix: (run: RunId) => `failover/${run}/`,
} as const;

export function recoveryPointId(barrierNumber: number): RecoveryPointId {
  return `p${pad(barrierNumber, 6)}` as RecoveryPointId;
}

/** Product snapshots carry this prefix; any other snapshot on a machine is foreign. */
export const SNAPSHOT_PREFIX = 'switchback-';

/** vSphere snapshot of one replication cycle: a lookup key after a crash. */
export function snapshotName(item: ProtectedItemId, barrierNumber: number): string {
  return `${SNAPSHOT_PREFIX}${item.slice(0, 8)}-${pad(barrierNumber, 8)}`;
}

/** Snapshot of a failover's last delta: never the one an interrupted cycle made while the source still ran. */
export function finalSnapshotName(item: ProtectedItemId, barrierNumber: number): string {
  return `${snapshotName(item, barrierNumber)}-final`;
}

/** Azure names of one run. Groups ≤ 90, disks ≤ 80, VMs ≤ 64 characters, letters, digits and hyphens. */
export const azureNames = {
  resourceGroup: (run: RunId) => `switchback-${run}`,
  vm: (machineName: string, mode: 'test' | 'real') =>
    `${legalVmName(machineName)}${mode === 'test' ? '-test' : ''}`,
  disk: (machineName: string, index: number) => `${legalVmName(machineName)}-disk${index}`,
  nic: (machineName: string) => `${legalVmName(machineName)}-nic0`,
  /** Incremental snapshot of disk `index`: 0 is taken before the first boot, later ones by reverse replication. */
  snapshot: (machineName: string, index: number, number: number) =>
    `${legalVmName(machineName)}-disk${index}-s${pad(number, 8)}`,
} as const;

/** Snapshot of a machine that came home, taken before it is powered on: cancelling the failback goes back to it. */
export function safetySnapshotName(item: ProtectedItemId, generation: number, barrierNumber: number): string {
  return `${safetySnapshotPrefix(item, generation)}${pad(barrierNumber, 8)}`;
}

export function safetySnapshotPrefix(item: ProtectedItemId, generation: number): string {
  return `${SNAPSHOT_PREFIX}${item.slice(0, 8)}-home-${pad(generation, 4)}-`;
}

/** Snapshot of a machine at home while its disks are compared with the point that was failed over. */
export function driftSnapshotName(item: ProtectedItemId, generation: number): string {
  return `${SNAPSHOT_PREFIX}${item.slice(0, 8)}-drift-${pad(generation, 4)}`;
}

/** Finds a machine that reprotect made at home. */
export function homeMachineKey(item: ProtectedItemId, generation: number): string {
  return `${item}/${generation}`;
}

function legalVmName(name: string): string {
  const cleaned = name
    .replaceAll(/[^A-Za-z0-9-]+/g, '-')
    .replaceAll(/^-+|-+$/g, '')
    .slice(0, 50)
    .replace(/-+$/, '');
  return cleaned === '' ? 'machine' : cleaned;
}

function pad(value: number, width: number): string {
  return String(value).padStart(width, '0');
}
