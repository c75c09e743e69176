/** What the disks at home hold compared with the point that was failed over: read only. */
import { DrError } from '../../domain/errors.ts';
import { totalBytes } from '../../domain/extents.ts';
import type { DiskId } from '../../domain/ids.ts';
import type { MachineSnapshot, VCenterSession } from '../../domain/ports.ts';
import type { Extent } from '../../domain/replication.ts';
import type { HomeDisk, HomeWay } from '../../workflows/contracts/home.ts';
import { compareBlockBytes, hashBlocks } from '../../dataplane/compare/block-hashes.ts';
import { saveBlockHashes } from '../../dataplane/compare/stored-hashes.ts';
import { readBarrier } from '../../dataplane/journal/barriers.ts';
import { ensureItemKey } from '../../dataplane/keys.ts';
import { readLanded } from '../../dataplane/land/land-pending.ts';
import { saveDescription } from './drift.ts';
import { withFrozenHome, type LandPorts } from './home-disks.ts';

type Drift = Readonly<Record<DiskId, readonly Extent[]>>;

/**
 * `changes`: change tracking still knows what was written since the point, so its areas are all that must be copied
 * over. `compare`: it does not (the point's barrier is gone, or tracking was reset), so every block is hashed.
 */
export async function describeHome(
  ports: LandPorts,
  way: HomeWay,
  wanted: { readonly epoch: number; readonly compareOnly: boolean },
  hooks: { readonly signal: AbortSignal; readonly beat: () => void },
): Promise<{ readonly copy: 'changes' | 'compare'; readonly driftBytes: number }> {
  const { storage } = ports;
  const { stream } = way;
  const { epoch, compareOnly } = wanted;
  const changeIds = compareOnly ? null : await changeIdsOfPoint(ports, way);
  const landedBarrier = (await readLanded(storage, stream, hooks.signal))?.barrier ?? 0;
  return withFrozenHome(ports, way, hooks, async ({ session, snapshot, readDisks }) => {
    const drift = changeIds === null ? null : await driftSince(session, way, snapshot, changeIds);
    if (drift !== null) {
      await saveDescription(storage, stream, { copy: 'changes', epoch, landedBarrier, drift });
      return { copy: 'changes', driftBytes: totalBytes(Object.values(drift).flat()) };
    }
    const itemKey = await ensureItemKey(storage, ports.vaultKey, stream);
    await readDisks(async (disks) => {
      for (const { disk, open } of disks) {
        const key = itemKey.compareKey(disk.diskId);
        const options = {
          key,
          blockBytes: compareBlockBytes(disk.capacityBytes),
          capacityBytes: disk.capacityBytes,
          signal: hooks.signal,
          onProgress: hooks.beat,
        };
        const hashes = await hashBlocks(open, options);
        await saveBlockHashes(storage, { stream, disk: disk.diskId, epoch, key }, hashes);
      }
    });
    await saveDescription(storage, stream, { copy: 'compare', epoch, landedBarrier, drift: {} });
    return { copy: 'compare', driftBytes: 0 };
  });
}

/** In disk order; null when the disks' areas since the point cannot be asked for. */
async function changeIdsOfPoint({ storage }: LandPorts, way: HomeWay): Promise<readonly string[] | null> {
  const { item, azure, home, disks } = way;
  if (!home.isOriginal || azure.baselineSnapshotIds.length !== disks.length) return null;
  const barrier = await readBarrier(storage, item.itemId, azure.point.barrierNumber);
  if (barrier?.sourceTime !== azure.point.sourceTime) return null;
  const ids = disks.map(
    ({ forwardDiskId }) => barrier.disks.find((disk) => disk.diskId === forwardDiskId)?.changeId,
  );
  const known = ids.filter((id) => id !== undefined && id !== null);
  return known.length === disks.length ? known : null;
}

async function driftSince(
  session: VCenterSession,
  way: HomeWay,
  snapshot: MachineSnapshot,
  changeIds: readonly string[],
): Promise<Drift | null> {
  const areas = new Map<DiskId, readonly Extent[]>();
  const isTracked = ({ deviceKey }: HomeDisk) =>
    snapshot.disks.some((disk) => disk.deviceKey === deviceKey && disk.changeId !== null);
  // Off since an earlier way home: what was written from outside meanwhile is not in any answer.
  if (!way.disks.every(isTracked)) return null;
  try {
    for (const [position, { diskId, deviceKey }] of way.disks.entries()) {
      const query = { snapshot, deviceKey, changeId: changeIds[position] ?? '' };
      areas.set(diskId, await Array.fromAsync(session.changedAreas(way.home.machineId, query)));
    }
  } catch (error) {
    if (error instanceof DrError && error.code === 'DR_REPLICATION_CBT_RESET') return null;
    throw error;
  }
  return Object.fromEntries(areas) as Drift;
}
