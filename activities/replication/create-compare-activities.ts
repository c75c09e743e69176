/** The replica's side of a comparison: what it holds, block by block. Polled from `urgent.azure.<region>`. */
import { fencingEpoch } from '../../domain/replication.ts';
import { blobNames } from '../../domain/names.ts';
import type { DiskSource, VaultStorage } from '../../domain/ports.ts';
import type { ProtectedDisk } from '../../domain/machine.ts';
import { VHD_FOOTER_BYTES } from '../../domain/units.ts';
import type { ProtectedItemId } from '../../domain/ids.ts';
import type { CompareActivities } from '../../workflows/contracts/home.ts';
import type { ApplyHeartbeat } from '../../workflows/contracts/types.ts';
import type { HashedPoint, VerifyActivities } from '../../workflows/contracts/verify.ts';
import { compareBlockBytes, hashBlocks } from '../../dataplane/compare/block-hashes.ts';
import { deleteBlockHashes, saveBlockHashes } from '../../dataplane/compare/stored-hashes.ts';
import { openItemKey } from '../../dataplane/keys.ts';
import { openReplicaSource } from '../../dataplane/source/replica-source.ts';
import { listPoints } from '../../dataplane/points.ts';
import { supervised } from '../supervise.ts';
import { choosePoint } from './choose-point.ts';
import { applyAll, type ApplyPorts } from './create-apply-activities.ts';
import { verifyMeter } from './verify-meter.ts';

const NOTHING_APPLIED: ApplyHeartbeat = { failures: 0, appliedBarrier: 0, pendingBytes: 0 };

type Hashed = Awaited<ReturnType<CompareActivities['hashReplica']>>;

export function createCompareActivities(ports: ApplyPorts): CompareActivities & VerifyActivities {
  const { storage } = ports;
  return {
    /** Applies what is still waiting first: hashes are compared with what comes behind the newest barrier. */
    hashReplica: ({ item, sessionEpoch }) =>
      supervised<ApplyHeartbeat, Hashed>(async (supervision) => {
        const epoch = fencingEpoch(sessionEpoch, supervision.attempt);
        await applyAll(ports, item, epoch, supervision, null);
        const itemKey = await openItemKey(storage, ports.vaultKey, item.itemId);
        for (const disk of item.disks) {
          const key = itemKey.compareKey(disk.diskId);
          const source = await replicaSource(storage, item.itemId, disk);
          const hashes = await hashBlocks(source, {
            key,
            blockBytes: compareBlockBytes(disk.capacityBytes),
            capacityBytes: source.capacityBytes,
            signal: supervision.signal,
            onProgress: supervision.flush,
          });
          const hashed = { stream: item.itemId, disk: disk.diskId, epoch, key };
          await saveBlockHashes(storage, hashed, hashes);
        }
        const sizes = item.disks.map(({ capacityBytes }) => compareBlockBytes(capacityBytes));
        return { epoch, blockBytes: Math.max(...sizes) };
      }),

    hashPoint: ({ item, sessionEpoch, choice }) =>
      supervised<ApplyHeartbeat, HashedPoint>(async (supervision) => {
        const epoch = fencingEpoch(sessionEpoch, supervision.attempt);
        await applyAll(ports, item, epoch, supervision, null);
        const itemKey = await openItemKey(storage, ports.vaultKey, item.itemId);
        const points = await listPoints(storage, item.itemId, supervision.signal, itemKey);
        const point = choosePoint(points, item, choice);
        // What an earlier comparison left was for nobody else.
        await deleteBlockHashes(storage, item.itemId);
        const applied = supervision.latest() ?? NOTHING_APPLIED;
        const sizes = point.disks.map(({ capacityBytes }) => capacityBytes);
        const meter = verifyMeter(point.barrierNumber, sizes, (progress) =>
          supervision.report({ ...applied, progress }),
        );
        for (const { diskId, replicaBlob, snapshotId, capacityBytes } of point.disks) {
          const key = itemKey.compareKey(diskId);
          const source = openReplicaSource(storage.replica(replicaBlob), snapshotId, capacityBytes);
          const blockBytes = compareBlockBytes(capacityBytes);
          const onProgress = meter(capacityBytes);
          const { signal } = supervision;
          const hashes = await hashBlocks(source, { key, blockBytes, capacityBytes, signal, onProgress });
          await saveBlockHashes(storage, { stream: item.itemId, disk: diskId, epoch, key }, hashes);
        }
        const { pointId, barrierNumber, sourceTime } = point;
        return { epoch, pointId, barrierNumber, sourceTime, isNewest: point === points[0] };
      }),
  };
}

/** As much of the disk as the replica has: a disk may have grown since, and one that joins has none yet. */
async function replicaSource(
  storage: VaultStorage,
  item: ProtectedItemId,
  { diskId, capacityBytes }: ProtectedDisk,
): Promise<DiskSource> {
  const replica = storage.replica(blobNames.replica(item, diskId));
  const properties = await replica.properties();
  if (properties === null) return emptySource(capacityBytes);
  return openReplicaSource(replica, null, Math.min(capacityBytes, properties.bytes - VHD_FOOTER_BYTES));
}

function emptySource(capacityBytes: number): DiskSource {
  return {
    capacityBytes,
    read: async (_offset, into) => {
      into.fill(0);
    },
    dataExtents: async () => [],
    close: async () => undefined,
  };
}
