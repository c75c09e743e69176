/** A set of Azure snapshots as a state to read from, up to the end of each VMDK. */
import { coalesceExtents, intersectExtent } from '../../domain/extents.ts';
import type { DiskId } from '../../domain/ids.ts';
import type { AzureSnapshotSource, Cloud, DiskSource } from '../../domain/ports.ts';
import type { Extent } from '../../domain/replication.ts';
import { azureNames } from '../../domain/names.ts';
import type { HomeDisk, HomeWay } from '../../workflows/contracts/home.ts';
import type { CycleHooks, FrozenState } from '../replication/frozen-state.ts';
import type { ExtentsByDisk } from '../replication/windows.ts';
import { scopeOf } from './azure-side.ts';
import type { SnapshotSet } from './azure-snapshots.ts';

/** As `shipBarrier` does. */
const DISKS_READ_AT_ONCE = 4;
/** Disks that are read together share what one would take, and its memory, down to this. */
const READS_AT_ONCE_MIN = 3;

/** One disk of the set, open. */
export interface OpenDisk {
  readonly disk: HomeDisk;
  /** As long as the VMDK: the Azure disk ends up to 1 MiB behind it. */
  readonly source: DiskSource;
  /** What differs from the snapshot it was opened against; without one, what holds data. Inside the VMDK. */
  changedExtents(): Promise<readonly Extent[]>;
}

/**
 * Opens every disk of the set for the time of `work`: each against the snapshot in `previousIds`, in disk order.
 * Grants that an attempt before this one left on other snapshots end first: Azure gives five for a disk at a time.
 * A grant that cannot be taken back fails the work, so that another attempt takes it back.
 * @throws DR_AZURE_SNAPSHOT_UNRELATED
 */
export async function withOpenSet<R>(
  cloud: Cloud,
  way: HomeWay,
  opening: { readonly set: SnapshotSet; readonly previousIds?: readonly (string | null)[] },
  hooks: Pick<CycleHooks, 'signal'>,
  work: (state: FrozenState, disks: readonly OpenDisk[]) => Promise<R>,
): Promise<R> {
  const { set, previousIds = [] } = opening;
  const ids = set.snapshots.map(({ resourceId }) => resourceId);
  const toOpen = [...ids, ...previousIds].filter((id) => id !== null);
  await cloud.endSnapshotAccess(scopeOf(way.item.itemId, way.azure), toOpen);
  const opened: AzureSnapshotSource[] = [];
  const closed = () => Promise.allSettled(opened.map((source) => source.close()));
  let result: R;
  try {
    const disks: OpenDisk[] = [];
    for (const [position, disk] of way.disks.entries()) {
      const source = await cloud.openSnapshot(
        ids[position] ?? '',
        previousIds[position] ?? null,
        hooks.signal,
      );
      opened.push(source);
      disks.push(openDisk(disk, source, way.disks.length, hooks.signal));
    }
    result = await work(stateOf(way, set, disks), disks);
  } catch (error) {
    await closed();
    throw error;
  }
  const failed = (await closed()).find((end) => end.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
  return result;
}

/** `extentsOf` for every disk, one after the other. */
export async function extentsByDisk(
  disks: readonly OpenDisk[],
  extentsOf: (disk: OpenDisk) => Promise<readonly Extent[]>,
): Promise<ExtentsByDisk> {
  const extents = new Map<DiskId, readonly Extent[]>();
  for (const each of disks) extents.set(each.disk.diskId, await extentsOf(each));
  return extents;
}

/** Sorted, joined, inside the disk. */
export function insideDisk(extents: readonly Extent[], { capacityBytes }: HomeDisk): Extent[] {
  const whole = { offset: 0, length: capacityBytes };
  return coalesceExtents(extents, 0)
    .map((extent) => intersectExtent(extent, whole))
    .filter((extent) => extent !== null);
}

function openDisk(
  disk: HomeDisk,
  source: AzureSnapshotSource,
  diskCount: number,
  signal: AbortSignal,
): OpenDisk {
  const share = Math.floor((source.readsAtOnce ?? 1) / Math.min(diskCount, DISKS_READ_AT_ONCE));
  return {
    disk,
    source: {
      capacityBytes: disk.capacityBytes,
      readBytes: source.readBytes,
      readsAtOnce: Math.max(share, READS_AT_ONCE_MIN),
      read: (offset, into, signal) => source.read(offset, into, signal),
      dataExtents: async (range, signal) => insideDisk(await source.dataExtents(range, signal), disk),
      // Closed with the set.
      close: async () => undefined,
    },
    changedExtents: async () => insideDisk(await Array.fromAsync(source.changedExtents(signal)), disk),
  };
}

function stateOf(way: HomeWay, set: SnapshotSet, disks: readonly OpenDisk[]): FrozenState {
  return {
    name: azureNames.snapshot(way.item.machineName, way.disks[0]?.index ?? 0, set.number),
    takenAt: set.createdAt,
    consistency: 'crash',
    disks: disks.map(({ disk, source }, position) => ({
      diskId: disk.diskId,
      capacityBytes: disk.capacityBytes,
      changeId: set.snapshots[position]?.resourceId ?? null,
      open: async () => source,
    })),
  };
}
