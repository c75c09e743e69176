/** A delta told by comparing: blocks of the machine's disks that differ from the hashes of their replicas. */
import { coalesceExtents } from '../../domain/extents.ts';
import type { DiskId } from '../../domain/ids.ts';
import type { ItemSpec } from '../../domain/machine.ts';
import { blobNames, snapshotName } from '../../domain/names.ts';
import type { VaultStorage } from '../../domain/ports.ts';
import { sessionEpochOf, type Barrier, type Extent } from '../../domain/replication.ts';
import { differingExtents } from '../../dataplane/compare/block-hashes.ts';
import {
  deleteBlockHashes,
  loadBlockHashes,
  type HashedDisk,
} from '../../dataplane/compare/stored-hashes.ts';
import { readAppliedState } from '../../dataplane/apply/replica.ts';
import { readBarrier } from '../../dataplane/journal/barriers.ts';
import { openItemKey } from '../../dataplane/keys.ts';
import type { CycleHooks, FrozenDisk, FrozenState } from './frozen-state.ts';
import { andDropSnapshot, frozenMachine, openCycle, takeSnapshot, type MovePorts } from './read-cycle.ts';
import { shipInWindows, type ExtentsByDisk } from './windows.ts';

export interface DifferencesRequest {
  readonly item: ItemSpec;
  readonly epoch: number;
  /** Of the hashes. */
  readonly hashEpoch: number;
  readonly windowBytes?: number;
}

/** Answers the pass's point; done at once when this session has made one. What is shipped is exactly what differs. */
export async function runDifferences(
  ports: MovePorts,
  { item, epoch, hashEpoch, windowBytes }: DifferencesRequest,
  hooks: CycleHooks,
): Promise<Barrier> {
  const cycle = await openCycle(ports, item);
  const { previous } = cycle;
  if (previous !== null && isPointOf(previous, epoch)) return finish(ports.storage, previous);
  const name = snapshotName(item.itemId, (previous?.number ?? 0) + 1);
  const snapshot = await takeSnapshot(cycle, item, { name, mayResume: false }, hooks);
  const barrier = await andDropSnapshot(cycle, item, snapshot, hooks, async () => {
    const frozen = await frozenMachine(ports, cycle, item, snapshot);
    const isHashed = await wasAllHashed(ports.storage, item, previous, epoch);
    const changed = isHashed ? await differences(ports, item, frozen, hashEpoch, hooks) : whole(frozen);
    const pass = {
      stream: item.itemId,
      previous,
      frozen,
      epoch,
      changed,
      cycle: 'delta',
      phase: 'delta',
      traffic: 'bulk',
      ...(item.priority === undefined ? {} : { priority: item.priority }),
    } as const;
    const window = windowBytes === undefined ? {} : { windowBytes };
    return shipInWindows(ports, { ...pass, ...window, gapBytes: 0 }, hooks);
  });
  if (isPointOf(barrier, epoch)) return finish(ports.storage, barrier);
  return runDifferences(
    ports,
    { item, epoch, hashEpoch, ...(windowBytes === undefined ? {} : { windowBytes }) },
    hooks,
  );
}

function isPointOf(barrier: Barrier, epoch: number): boolean {
  return barrier.kind === 'point' && sessionEpochOf(barrier.epoch) === sessionEpochOf(epoch);
}

/** False: an older session has made a barrier since, which the replica did not hold when it was hashed. */
async function wasAllHashed(
  storage: VaultStorage,
  item: ItemSpec,
  newest: Barrier | null,
  epoch: number,
): Promise<boolean> {
  const states = await Promise.all(
    item.disks.map(({ diskId }) => readAppliedState(storage.replica(blobNames.replica(item.itemId, diskId)))),
  );
  const applied = Math.min(...states.map((state) => state?.barrier ?? Infinity));
  for (let barrier = newest; barrier !== null && barrier.number > applied;) {
    if (sessionEpochOf(barrier.epoch) !== sessionEpochOf(epoch)) return false;
    barrier = await readBarrier(storage, item.itemId, barrier.number - 1);
  }
  return true;
}

function whole(frozen: FrozenState): ExtentsByDisk {
  return new Map(
    frozen.disks.map(({ diskId, capacityBytes }) => [diskId, [{ offset: 0, length: capacityBytes }]]),
  );
}

async function finish(storage: VaultStorage, barrier: Barrier): Promise<Barrier> {
  await deleteBlockHashes(storage, barrier.itemId);
  return barrier;
}

async function differences(
  { storage, vaultKey }: MovePorts,
  item: ItemSpec,
  frozen: FrozenState,
  hashEpoch: number,
  hooks: CycleHooks,
): Promise<ExtentsByDisk> {
  const found = new Map<DiskId, readonly Extent[]>();
  const itemKey = await openItemKey(storage, vaultKey, item.itemId);
  for (const disk of frozen.disks) {
    const { diskId } = disk;
    const hashed = {
      stream: item.itemId,
      disk: diskId,
      epoch: hashEpoch,
      key: itemKey.compareKey(diskId),
    };
    found.set(diskId, await differencesOf(storage, hashed, disk, hooks));
  }
  return found;
}

/** What lies behind the hashed part was not there when the replica was made: the disk has grown. */
async function differencesOf(
  storage: VaultStorage,
  hashed: HashedDisk,
  disk: FrozenDisk,
  { signal, beat }: CycleHooks,
): Promise<readonly Extent[]> {
  const hashes = await loadBlockHashes(storage, hashed, signal);
  const options = { key: hashed.key, signal, onProgress: beat };
  const source = await disk.open(signal);
  try {
    const differing = await Array.fromAsync(differingExtents(source, hashes, options));
    const grownBytes = disk.capacityBytes - hashes.capacityBytes;
    if (grownBytes <= 0) return differing;
    return coalesceExtents([...differing, { offset: hashes.capacityBytes, length: grownBytes }], 0);
  } finally {
    await source.close().catch(() => undefined);
  }
}
