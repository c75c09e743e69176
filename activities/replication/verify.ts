/** Verification on demand: all blocks of the source against a recovery point, but for what has changed since. */
import { DrError } from '../../domain/errors.ts';
import { coalesceExtents, intersectExtent, subtractExtents, totalBytes } from '../../domain/extents.ts';
import type { ProtectedItemId } from '../../domain/ids.ts';
import type { ItemSpec } from '../../domain/machine.ts';
import { snapshotName } from '../../domain/names.ts';
import type { OnProgress } from '../../domain/ports.ts';
import type { Extent } from '../../domain/replication.ts';
import type { DifferingDisk } from '../../domain/scrub.ts';
import { roundUp } from '../../domain/units.ts';
import type { HashedPoint, PointCompared } from '../../workflows/contracts/verify.ts';
import { differingExtents, type BlockHashes } from '../../dataplane/compare/block-hashes.ts';
import { deleteBlockHashes, loadBlockHashes } from '../../dataplane/compare/stored-hashes.ts';
import { readBarrier } from '../../dataplane/journal/barriers.ts';
import { openItemKey, type ItemKey } from '../../dataplane/keys.ts';
import { findingOf } from '../../dataplane/scrub/compare-samples.ts';
import { loadSample, saveFinding } from '../../dataplane/scrub/records.ts';
import { changedSince, type KnownDisk } from './delta.ts';
import type { CycleHooks, FrozenDisk } from './frozen-state.ts';
import { andDropSnapshot, frozenMachine, openCycle, takeSnapshot, type MovePorts } from './read-cycle.ts';
import { differenceCondition } from './scrub.ts';
import { verifyMeter } from './verify-meter.ts';

/** Of each disk, in the answer. */
const RANGES_SHOWN = 16;

/** @throws DR_VERIFY_IMPOSSIBLE when change tracking does not reach back to the point */
export async function runComparePoint(
  ports: MovePorts,
  { item, hashed }: { readonly item: ItemSpec; readonly hashed: HashedPoint },
  hooks: CycleHooks,
): Promise<PointCompared> {
  const { storage, vaultKey } = ports;
  const key = await openItemKey(storage, vaultKey, item.itemId);
  const base = { disks: await disksOf(ports, item, hashed, key) };
  const cycle = await openCycle(ports, item);
  const name = snapshotName(item.itemId, (cycle.previous?.number ?? 0) + 1);
  const snapshot = await takeSnapshot(cycle, item, { name, mayResume: false }, hooks);
  const compared = await andDropSnapshot(cycle, item, snapshot, hooks, async () => {
    const frozen = await frozenMachine(ports, cycle, item, snapshot);
    const disks = frozen.disks.filter(({ diskId }) => base.disks.some((known) => known.diskId === diskId));
    const sizes = disks.map(({ capacityBytes }) => capacityBytes);
    const meter = verifyMeter(hashed.barrierNumber, sizes, hooks.onProgress);
    const found: DiskCompared[] = [];
    for (const disk of disks) {
      const changed = await changedSince(cycle.session, item, { snapshot, disk, base });
      const hashes = await hashesOf(ports, item.itemId, hashed, disk, key);
      if (totalBytes(changed) >= hashes.capacityBytes) {
        const reason = `change tracking does not reach back to it, or all of disk ${disk.diskId} has changed since`;
        throw impossible(item, hashed, reason);
      }
      found.push(await compareDisk(disk, { hashes, changed, key }, meter(disk.capacityBytes), hooks));
    }
    return found;
  });
  await deleteBlockHashes(storage, item.itemId);
  return answer(ports, item, hashed, key, compared);
}

interface DiskCompared {
  readonly comparedBytes: number;
  readonly changedBytes: number;
  readonly differing: DifferingDisk | null;
}

async function answer(
  { storage }: MovePorts,
  item: ItemSpec,
  { pointId, barrierNumber }: HashedPoint,
  key: ItemKey,
  compared: readonly DiskCompared[],
): Promise<PointCompared> {
  const { itemId } = item;
  const disks = compared.flatMap(({ differing }) => (differing === null ? [] : [differing]));
  const sum = (of: (each: DiskCompared) => number) => compared.reduce((all, each) => all + of(each), 0);
  const told = {
    comparedBytes: sum((each) => each.comparedBytes),
    changedBytes: sum((each) => each.changedBytes),
    differingBytes: sum((each) => each.differing?.differingBytes ?? 0),
    disks: disks.map((disk) => ({ ...disk, ranges: disk.ranges.slice(0, RANGES_SHOWN) })),
  };
  if (disks.length === 0) return told;
  const finding = findingOf({ itemId, pointId, barrierNumber }, 'verify', disks);
  await saveFinding({ storage, item: itemId, key }, finding);
  const condition = differenceCondition(item, [finding]);
  return condition === undefined ? told : { ...told, condition };
}

/** The barrier of an older point is gone: its sample says the same, where there is one. */
async function disksOf(
  { storage }: MovePorts,
  item: ItemSpec,
  hashed: HashedPoint,
  key: ItemKey,
): Promise<readonly KnownDisk[]> {
  const { itemId } = item;
  const barrier = await readBarrier(storage, itemId, hashed.barrierNumber, undefined, key);
  const known = barrier ?? (await loadSample({ storage, item: itemId, key }, hashed.barrierNumber));
  if (known !== null) return known.disks;
  throw impossible(item, hashed, 'nobody recorded from where to ask for what has changed since');
}

async function hashesOf(
  { storage }: MovePorts,
  stream: ProtectedItemId,
  { epoch }: HashedPoint,
  { diskId }: FrozenDisk,
  key: ItemKey,
): Promise<BlockHashes> {
  return loadBlockHashes(storage, { stream, disk: diskId, epoch, key: key.compareKey(diskId) });
}

async function compareDisk(
  disk: FrozenDisk,
  known: { readonly hashes: BlockHashes; readonly changed: readonly Extent[]; readonly key: ItemKey },
  onProgress: OnProgress,
  { signal }: CycleHooks,
): Promise<DiskCompared> {
  const { hashes, key } = known;
  const { capacityBytes } = hashes;
  const changed = wholeBlocks(known.changed, hashes);
  const source = await disk.open(signal);
  try {
    const options = { key: key.compareKey(disk.diskId), signal, onProgress };
    const ranges: Extent[] = [];
    for await (const extent of differingExtents(source, hashes, options)) {
      ranges.push(...subtractExtents(extent, changed));
    }
    const joined = coalesceExtents(ranges, 0);
    const differing = { diskId: disk.diskId, differingBytes: totalBytes(joined), ranges: joined };
    const changedBytes = totalBytes(changed);
    const comparedBytes = capacityBytes - changedBytes;
    return { comparedBytes, changedBytes, differing: joined.length === 0 ? null : differing };
  } finally {
    await source.close().catch(() => undefined);
  }
}

/** Blocks that the extents touch, joined. */
function wholeBlocks(extents: readonly Extent[], { blockBytes, capacityBytes }: BlockHashes): Extent[] {
  const widened = extents.map(({ offset, length }) => {
    const start = Math.floor(offset / blockBytes) * blockBytes;
    return { offset: start, length: roundUp(offset + length, blockBytes) - start };
  });
  return coalesceExtents(widened, 0)
    .map((extent) => intersectExtent(extent, { offset: 0, length: capacityBytes }))
    .filter((extent) => extent !== null);
}

function impossible(item: ItemSpec, { pointId }: HashedPoint, reason: string): DrError {
  return new DrError('DR_VERIFY_IMPOSSIBLE', { point: pointId, item: item.machineName, reason });
}
