/**
 * One replication cycle of a VMware machine: snapshot → changed areas → read → segments → barrier → snapshot removed.
 *
 * Order matters (Forklift learned it from file-system corruption): the changeIds of a cycle are recorded in its
 * barrier, its snapshot is removed, and only then a new snapshot is made. The snapshot's name carries the barrier
 * number, so a repeated attempt finds and reuses what a killed one left.
 */
import { DrError } from '../../domain/errors.ts';
import type { ItemSpec, ProtectedDisk } from '../../domain/machine.ts';
import type {
  DiskSource,
  DiskTransport,
  MachineSnapshot,
  SnapshotDisk,
  VCenterConnection,
  VCenterDirectory,
  VCenterSession,
  VSphere,
} from '../../domain/ports.ts';
import type { Barrier } from '../../domain/replication.ts';
import { latestBarrier } from '../../dataplane/journal/barriers.ts';
import { openNbdSource } from '../../dataplane/source/nbd-source.ts';
import type { CycleHooks, FrozenState, StreamPorts } from './frozen-state.ts';

export interface MovePorts extends StreamPorts {
  readonly vsphere: VSphere;
  readonly vcenters: VCenterDirectory;
  readonly transport: DiskTransport;
  /** Share of each disk that is compared with the recovery points every day; absent: none. */
  readonly scrubPercentPerDay?: number;
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

export interface WantedSnapshot {
  readonly name: string;
  /** One that an earlier attempt left under the name may be read from. */
  readonly mayResume: boolean;
  /** Asks the guest to bring its applications to rest first; the snapshot says whether it did. */
  readonly quiesce?: boolean;
}

/** Makes the cycle's snapshot after removing what earlier cycles left. */
export async function takeSnapshot(
  { session }: Cycle,
  item: ItemSpec,
  { name, mayResume, quiesce = false }: WantedSnapshot,
  hooks: CycleHooks,
): Promise<MachineSnapshot> {
  await session.removeSnapshots(item.machineId, item.itemId, mayResume ? name : null, hooks.beat, name);
  hooks.signal.throwIfAborted();
  const description = `Replication cycle of ${item.machineName}; removed when the cycle ends`;
  return session.createSnapshot(item.machineId, { name, description, quiesce }, hooks.beat);
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

/**
 * Runs a pass over a snapshot and removes the snapshot afterwards. A failed pass leaves none behind either, as far as
 * that can be done: the failure is told, not what stood in the way of cleaning up, and a snapshot that another
 * attempt has made under the same name since is left alone.
 */
export async function andDropSnapshot<T>(
  cycle: Cycle,
  item: ItemSpec,
  snapshot: MachineSnapshot,
  hooks: CycleHooks,
  pass: () => Promise<T>,
): Promise<T> {
  let answer: T;
  try {
    answer = await pass();
  } catch (error) {
    await dropOwn(cycle, item, snapshot, hooks).catch(() => undefined);
    throw error;
  }
  await dropSnapshot(cycle, item, snapshot.name, hooks);
  return answer;
}

async function dropOwn(
  { session }: Cycle,
  { machineId }: ItemSpec,
  { name, moRef }: MachineSnapshot,
  hooks: CycleHooks,
): Promise<void> {
  const standing = await session.findSnapshot(machineId, name);
  if (standing?.moRef === moRef) await session.removeSnapshot(machineId, name, hooks.beat);
}

/** The snapshot as a state to read from; exports are opened disk by disk. */
export async function frozenMachine(
  ports: MovePorts,
  { connection, session }: Cycle,
  item: ItemSpec,
  snapshot: MachineSnapshot,
): Promise<FrozenState> {
  const { moRef } = await session.getMachine(item.machineId);
  const disks = item.disks.map((disk) => {
    const frozen = frozenDisk(item, disk, snapshot);
    const open = (signal: AbortSignal) =>
      openExport(ports, {
        connection,
        machineMoRef: moRef,
        snapshotMoRef: snapshot.moRef,
        disk: frozen,
        signal,
      });
    return { diskId: disk.diskId, capacityBytes: frozen.capacityBytes, changeId: frozen.changeId, open };
  });
  return {
    name: snapshot.name,
    takenAt: snapshot.createdAt,
    consistency: snapshot.quiesced ? 'application' : 'crash',
    disks,
  };
}

async function openExport(
  { transport }: Pick<MovePorts, 'transport'>,
  request: Parameters<DiskTransport['open']>[0],
): Promise<DiskSource> {
  const exported = await transport.open(request);
  try {
    const source = await openNbdSource(exported, request.signal);
    return {
      ...source,
      close: async () => {
        await source.close().catch(() => undefined);
        await exported.close();
      },
    };
  } catch (error) {
    await exported.close().catch(() => undefined);
    throw error;
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
