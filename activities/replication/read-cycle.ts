/**
 * One replication cycle: snapshot → changed areas → read → segments → barrier → snapshot removed.
 *
 * Order matters (Forklift learned it from file-system corruption): the changeIds of a cycle are recorded in its
 * barrier, its snapshot is removed, and only then a new snapshot is made. The snapshot's name carries the barrier
 * number, so a repeated attempt finds and reuses what a killed one left.
 */
import { DrError } from '../../domain/errors.ts';
import type { ItemSpec, ProtectedDisk } from '../../domain/machine.ts';
import type {
  DiskTransport,
  MachineSnapshot,
  SnapshotDisk,
  VaultKey,
  VaultStorage,
  VCenterConnection,
  VCenterDirectory,
  VCenterSession,
  VSphere,
} from '../../domain/ports.ts';
import {
  CHAIN_START,
  type Barrier,
  type Extent,
  type ReplicationProgress,
} from '../../domain/replication.ts';
import { latestBarrier, tailsAfter } from '../../dataplane/journal/barriers.ts';
import { openItemKey } from '../../dataplane/keys.ts';
import { shipBarrier } from '../../dataplane/ship/ship-barrier.ts';
import type { CachePolicy, ShipDisk } from '../../dataplane/ship/ship-request.ts';
import { openNbdSource } from '../../dataplane/source/nbd-source.ts';

export interface MovePorts {
  readonly vsphere: VSphere;
  readonly vcenters: VCenterDirectory;
  readonly transport: DiskTransport;
  readonly storage: VaultStorage;
  readonly vaultKey: VaultKey;
  readonly cache: CachePolicy;
}

export interface CycleHooks {
  readonly signal: AbortSignal;
  readonly onProgress: (progress: ReplicationProgress) => void;
  /** Called while vCenter works, so that the activity stays alive. */
  readonly beat: () => void;
}

export interface Cycle {
  readonly connection: VCenterConnection;
  readonly session: VCenterSession;
  readonly previous: Barrier | null;
}

/** The newest barrier and a session to read the next one from. */
export async function openCycle(ports: MovePorts, item: ItemSpec): Promise<Cycle> {
  const connection = await ports.vcenters.load(item.vcenterId);
  return {
    connection,
    session: ports.vsphere.session(connection),
    previous: await latestBarrier(ports.storage, item.itemId),
  };
}

/** Makes the cycle's snapshot after removing what earlier cycles left; finds its own only where `mayResume`. */
export async function takeSnapshot(
  cycle: Cycle,
  item: ItemSpec,
  wanted: { readonly name: string; readonly mayResume: boolean },
  hooks: CycleHooks,
): Promise<MachineSnapshot> {
  const { session } = cycle;
  const { name, mayResume } = wanted;
  await session.removeSnapshots(item.machineId, item.itemId, mayResume ? name : null, hooks.beat, name);
  hooks.signal.throwIfAborted();
  const description = `Replication cycle of ${item.machineName}; removed when the cycle ends`;
  return session.createSnapshot(item.machineId, { name, description, quiesce: false }, hooks.beat);
}

/** Removes the cycle's snapshot and older ones; a newer attempt's snapshot is not this one's to remove. */
export async function dropSnapshot(
  cycle: Cycle,
  item: ItemSpec,
  name: string,
  hooks: CycleHooks,
): Promise<void> {
  hooks.signal.throwIfAborted();
  await cycle.session.removeSnapshots(item.machineId, item.itemId, null, hooks.beat, name);
}

export type CopiedBytes = Pick<ReplicationProgress, 'doneBytes' | 'readBytes' | 'wireBytes'>;

export const NOTHING_COPIED: CopiedBytes = { doneBytes: 0, readBytes: 0, wireBytes: 0 };

/** `doneBytes`: bytes of source that the barrier dealt with. */
export function copiedAfter(before: CopiedBytes, barrier: Barrier, doneBytes: number): CopiedBytes {
  const wireBytes = barrier.disks.flatMap((disk) => disk.segments).map((segment) => segment.wireBytes);
  return {
    doneBytes: before.doneBytes + doneBytes,
    readBytes: before.readBytes + sumOf(barrier.disks.map((disk) => disk.readBytes)),
    wireBytes: before.wireBytes + sumOf(wireBytes),
  };
}

export function sumOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}

export interface ReadPlan {
  readonly kind: Barrier['kind'];
  readonly cycle: Barrier['cycle'];
  readonly phase: ReplicationProgress['phase'];
  readonly totalBytes: number;
  /** What earlier barriers of the same copy have done; progress counts on from there. */
  readonly before: CopiedBytes;
  readonly startedAt: string;
  readonly resumeOffsets?: Barrier['resumeOffsets'];
  extentsOf(
    disk: ProtectedDisk,
    frozen: SnapshotDisk,
  ): Promise<{ extents: readonly Extent[]; skipZeros: boolean }>;
}

/** Reads what the plan names from the snapshot and makes barrier `number` of it. */
export async function shipFromSnapshot(
  ports: MovePorts,
  request: {
    cycle: Cycle;
    item: ItemSpec;
    snapshot: MachineSnapshot;
    number: number;
    epoch: number;
    plan: ReadPlan;
  },
  hooks: CycleHooks,
): Promise<Barrier> {
  const { cycle, item, snapshot, plan } = request;
  const key = await openItemKey(ports.storage, ports.vaultKey, item.itemId);
  const tails = tailsAfter(
    cycle.previous,
    item.disks.map((disk) => disk.diskId),
  );
  const machine = await cycle.session.getMachine(item.machineId);
  const opened: { close(): Promise<void> }[] = [];
  try {
    const disks: ShipDisk[] = [];
    for (const disk of item.disks) {
      const frozen = frozenDisk(item, disk, snapshot);
      const exported = await ports.transport.open({
        connection: cycle.connection,
        machineMoRef: machine.moRef,
        snapshotMoRef: snapshot.moRef,
        disk: frozen,
        signal: hooks.signal,
      });
      opened.push(exported);
      const source = await openNbdSource(exported, hooks.signal);
      opened.push(source);
      const wanted = await plan.extentsOf(disk, frozen);
      disks.push({
        diskId: disk.diskId,
        capacityBytes: frozen.capacityBytes,
        source,
        ...wanted,
        tail: tails.get(disk.diskId) ?? CHAIN_START,
        changeId: frozen.changeId,
      });
    }
    const { barrier } = await shipBarrier({
      item: item.itemId,
      epoch: request.epoch,
      barrierNumber: request.number,
      kind: plan.kind,
      cycle: plan.cycle,
      phase: plan.phase,
      consistency: snapshot.quiesced ? 'application' : 'crash',
      sourceTime: snapshot.createdAt,
      snapshotName: snapshot.name,
      ...(plan.resumeOffsets === undefined ? {} : { resumeOffsets: plan.resumeOffsets }),
      disks,
      key,
      storage: ports.storage,
      cache: ports.cache,
      signal: hooks.signal,
      totalBytesHint: plan.totalBytes,
      onProgress: (progress) =>
        hooks.onProgress({
          ...progress,
          startedAt: plan.startedAt,
          totalBytes: plan.totalBytes,
          doneBytes: plan.before.doneBytes + progress.doneBytes,
          readBytes: plan.before.readBytes + progress.readBytes,
          wireBytes: plan.before.wireBytes + progress.wireBytes,
        }),
    });
    return barrier;
  } finally {
    for (const each of opened.reverse()) await each.close().catch(() => undefined);
  }
}

/** The snapshot's side of a protected disk. A disk that is gone or has another size must not be copied as if nothing happened. */
export function frozenDisk(item: ItemSpec, disk: ProtectedDisk, snapshot: MachineSnapshot): SnapshotDisk {
  const frozen = snapshot.disks.find((d) => d.deviceKey === disk.deviceKey);
  const changed = (reason: string) =>
    new DrError('DR_MACHINE_DISK_CHANGED', { disk: disk.label, machine: item.machineName, reason });
  if (frozen === undefined) throw changed('it is not attached any more');
  if (frozen.capacityBytes !== disk.capacityBytes) {
    throw changed(`it had ${disk.capacityBytes} bytes and has ${frozen.capacityBytes} now`);
  }
  return frozen;
}
