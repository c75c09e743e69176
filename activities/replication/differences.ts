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
import { changedSince } from './delta.ts';
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

/**
 * Answers the pass's point; done at once when one was made since the hashes. What is shipped is exactly what differs,
 * and what changed since an earlier try had shipped from a snapshot of its own: a block may be again what it was when
 * it was hashed, while that try's windows say otherwise.
 */
export async function runDifferences(
  ports: MovePorts,
  { item, epoch, hashEpoch, windowBytes }: DifferencesRequest,
  hooks: CycleHooks,
): Promise<Barrier> {
  const cycle = await openCycle(ports, item);
  const { previous } = cycle;
  if (previous !== null && isPointSince(previous, hashEpoch)) return finish(ports.storage, previous);
  const name = snapshotName(item.itemId, (previous?.number ?? 0) + 1);
  const snapshot = await takeSnapshot(cycle, item, { name, mayResume: false }, hooks);
  const barrier = await andDropSnapshot(cycle, item, snapshot, hooks, async () => {
    const frozen = await frozenMachine(ports, cycle, item, snapshot);
    const since = await madeSince(ports.storage, item, previous, hashEpoch);
    const changed =
      since === 'unhashed'
        ? whole(frozen)
        : await differences(ports, item, frozen, hashEpoch, hooks, (disk) =>
            since === null ? [] : changedSince(cycle.session, item, { snapshot, disk, base: since }),
          );
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
  if (isPointSince(barrier, hashEpoch)) return finish(ports.storage, barrier);
  return runDifferences(
    ports,
    { item, epoch, hashEpoch, ...(windowBytes === undefined ? {} : { windowBytes }) },
    hooks,
  );
}

function isPointSince(barrier: Barrier, hashEpoch: number): boolean {
  return barrier.kind === 'point' && isSince(barrier, hashEpoch);
}

/** Nobody but tries of this comparison writes between the hashes and its point. */
function isSince(barrier: Barrier, hashEpoch: number): boolean {
  return sessionEpochOf(barrier.epoch) >= sessionEpochOf(hashEpoch);
}

/**
 * The first barrier that an earlier try has made since the hashes; null: there is none. `unhashed`: an older session
 * has made one that the replica did not hold when it was hashed.
 */
async function madeSince(
  storage: VaultStorage,
  item: ItemSpec,
  newest: Barrier | null,
  hashEpoch: number,
): Promise<Barrier | null | 'unhashed'> {
  const states = await Promise.all(
    item.disks.map(({ diskId }) => readAppliedState(storage.replica(blobNames.replica(item.itemId, diskId)))),
  );
  const applied = Math.min(...states.map((state) => state?.barrier ?? Infinity));
  let first: Barrier | null = null;
  for (let barrier = newest; barrier !== null;) {
    if (!isSince(barrier, hashEpoch)) return barrier.number > applied ? 'unhashed' : first;
    first = barrier;
    barrier = await readBarrier(storage, item.itemId, barrier.number - 1);
  }
  return first;
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
  alsoOf: (disk: FrozenDisk) => readonly Extent[] | Promise<readonly Extent[]>,
): Promise<ExtentsByDisk> {
  const found = new Map<DiskId, readonly Extent[]>();
  const itemKey = await openItemKey(storage, vaultKey, item.itemId);
  for (const disk of frozen.disks) {
    const also = await alsoOf(disk);
    const { diskId } = disk;
    const hashed = {
      stream: item.itemId,
      disk: diskId,
      epoch: hashEpoch,
      key: itemKey.compareKey(diskId),
    };
    const differing = await differencesOf(storage, hashed, disk, hooks);
    found.set(diskId, also.length === 0 ? differing : coalesceExtents([...differing, ...also], 0));
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
