/** The disks of a machine at home, open: for one writer, or frozen to be read. */
import { DrError } from '../../domain/errors.ts';
import { driftSnapshotName } from '../../domain/names.ts';
import type {
  DiskExport,
  DiskSink,
  DiskSource,
  DiskTransport,
  MachineSnapshot,
  VaultKey,
  VaultStorage,
  VCenterDirectory,
  VCenterSession,
  VSphere,
} from '../../domain/ports.ts';
import type { HomeDisk, HomeWay } from '../../workflows/contracts/home.ts';
import { openNbdSink } from '../../dataplane/sink/nbd-sink.ts';
import { openNbdSource } from '../../dataplane/source/nbd-source.ts';

export interface LandPorts {
  readonly vsphere: VSphere;
  readonly vcenters: VCenterDirectory;
  readonly transport: DiskTransport;
  readonly storage: VaultStorage;
  readonly vaultKey: VaultKey;
  /** Where segments lie while they are landed. */
  readonly cacheFolder: string;
}

interface Hooks {
  readonly signal: AbortSignal;
  readonly beat: () => void;
}

export interface OpenHomeDisk<D extends DiskSource> {
  readonly disk: HomeDisk;
  readonly open: D;
}

/**
 * Opens every disk for writing, in disk order, for the time of `work`. vSphere's locks are held as long.
 * @throws DR_MACHINE_FILE_LOCKED, DR_FAILBACK_DISKS_CHANGED
 */
export async function withHomeDisks<R>(
  ports: LandPorts,
  way: HomeWay,
  { signal }: Hooks,
  work: (disks: readonly OpenHomeDisk<DiskSink>[]) => Promise<R>,
): Promise<R> {
  const connection = await ports.vcenters.load(way.item.vcenterId);
  const machine = await ports.vsphere.session(connection).getMachine(way.home.machineId);
  return opening(way, openNbdSink, signal, work, (disk) =>
    ports.transport.openForWriting({
      connection,
      machineMoRef: machine.moRef,
      disk: matching(way, machine.disks, disk),
      signal,
    }),
  );
}

/** Freezes the machine's disks for the time of `work`, which may ask what changed in them and read them. */
export async function withFrozenHome<R>(
  ports: LandPorts,
  way: HomeWay,
  { signal, beat }: Hooks,
  work: (home: {
    readonly session: VCenterSession;
    readonly snapshot: MachineSnapshot;
    /** Opens all disks of the snapshot for the time of `read`. */
    readonly readDisks: <T>(read: (disks: readonly OpenHomeDisk<DiskSource>[]) => Promise<T>) => Promise<T>;
  }) => Promise<R>,
): Promise<R> {
  const connection = await ports.vcenters.load(way.item.vcenterId);
  const session = ports.vsphere.session(connection);
  const { machineId } = way.home;
  const name = driftSnapshotName(way.item.itemId, way.generation);
  const description = `${way.item.machineName} is compared with Azure; removed afterwards`;
  await session.removeSnapshot(machineId, name, beat);
  const snapshot = await session.createSnapshot(machineId, { name, description, quiesce: false }, beat);
  try {
    const { moRef } = await session.getMachine(machineId);
    return await work({
      session,
      snapshot,
      readDisks: (read) =>
        opening(way, openNbdSource, signal, read, (disk) =>
          ports.transport.open({
            connection,
            machineMoRef: moRef,
            snapshotMoRef: snapshot.moRef,
            disk: matching(way, snapshot.disks, disk),
            signal,
          }),
        ),
    });
  } finally {
    await session.removeSnapshot(machineId, name, beat);
  }
}

async function opening<D extends DiskSource, R>(
  way: HomeWay,
  connect: (exported: DiskExport, signal: AbortSignal) => Promise<D>,
  signal: AbortSignal,
  work: (disks: readonly OpenHomeDisk<D>[]) => Promise<R>,
  exportDisk: (disk: HomeDisk) => Promise<DiskExport>,
): Promise<R> {
  const opened: { close(): Promise<void> }[] = [];
  const disks: OpenHomeDisk<D>[] = [];
  try {
    for (const disk of way.disks) {
      const exported = await exportDisk(disk);
      opened.push(exported);
      const open = await connect(exported, signal);
      opened.push(open);
      disks.push({ disk, open });
    }
    return await work(disks);
  } finally {
    for (const each of opened.reverse()) await each.close().catch(() => undefined);
  }
}

/** What vCenter has for a disk of the way. A disk that is gone or has another size must not be written to. */
function matching<D extends { readonly deviceKey: number; readonly capacityBytes: number }>(
  way: HomeWay,
  live: readonly D[],
  disk: HomeDisk,
): D {
  const found = live.find((each) => each.deviceKey === disk.deviceKey);
  if (found?.capacityBytes === disk.capacityBytes) return found;
  const reason =
    found === undefined
      ? `disk "${disk.label}" is not attached any more`
      : `disk "${disk.label}" had ${disk.capacityBytes} bytes and has ${found.capacityBytes} now`;
  throw new DrError('DR_FAILBACK_DISKS_CHANGED', { machine: way.item.machineName, reason });
}
