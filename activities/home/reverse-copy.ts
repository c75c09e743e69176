/**
 * The reverse stream of a way home: Azure snapshots become barriers. The first copy reads what the disks at home
 * lack; every later pass what changed in Azure since the last point's snapshots.
 */
import { DrError } from '../../domain/errors.ts';
import { coalesceExtents, extentsFrom } from '../../domain/extents.ts';
import type { Cloud } from '../../domain/ports.ts';
import { sessionEpochOf, type Barrier, type Extent } from '../../domain/replication.ts';
import { MiB } from '../../domain/units.ts';
import type { HomeCopy, HomeWay } from '../../workflows/contracts/home.ts';
import { differingExtents } from '../../dataplane/compare/block-hashes.ts';
import { deleteBlockHashes, loadBlockHashes } from '../../dataplane/compare/stored-hashes.ts';
import { latestBarrier, readBarrier } from '../../dataplane/journal/barriers.ts';
import { ensureItemKey, openItemKey } from '../../dataplane/keys.ts';
import type { CycleHooks, StreamPorts } from '../replication/frozen-state.ts';
import { lastPoint, requirePoint, shipInWindows, untilOwn, type Offsets } from '../replication/windows.ts';
import {
  changeIdsOf,
  deleteSnapshots,
  snapshotsOf,
  takeSnapshots,
  type SnapshotSet,
} from './azure-snapshots.ts';
import { scopeOf } from './azure-side.ts';
import { loadDescription, type HomeDescription } from './drift.ts';
import { extentsByDisk, insideDisk, withOpenSet, type OpenDisk } from './reverse-state.ts';

/** Small enough that one window is written at home while the next is fetched and a third is read here. */
const WINDOW_BYTES = 512 * MiB;

export interface ReversePorts extends StreamPorts {
  readonly cloud: Cloud;
}

export interface ReverseRequest {
  readonly way: HomeWay;
  readonly epoch: number;
  /** As in `WindowedRead`; absent: 512 MiB. */
  readonly windowBytes?: number;
}

export interface FirstCopyRequest extends ReverseRequest {
  readonly copy: HomeCopy;
  /** A resync: a copy of this session epoch, although the stream has points. */
  readonly again?: boolean;
}

/**
 * Runs to the end of the first copy and answers its point; done at once when there is one. Goes on from its last
 * window while the snapshots of that exist; when they are gone everything is read, because what the earlier windows
 * brought home cannot be told any more.
 */
export async function runFirstCopy(
  ports: ReversePorts,
  request: FirstCopyRequest,
  hooks: CycleHooks,
  onBarrier: (barrier: Barrier) => void,
): Promise<Barrier> {
  const { way, epoch, copy, again = false } = request;
  const { stream } = way;
  await ensureItemKey(ports.storage, ports.vaultKey, stream);
  const previous = await latestBarrier(ports.storage, stream);
  const point = await lastPoint(ports.storage, previous);
  const isOwn = (barrier: Barrier) => !again || sessionEpochOf(barrier.epoch) === sessionEpochOf(epoch);
  if (point !== null && isOwn(point)) return finishCopy(ports, way, point);
  const begun = previous?.resumeOffsets !== undefined && isOwn(previous) ? previous : null;
  const resumed = begun === null ? null : await resumeFrom(ports.cloud, way, begun);
  const set = resumed?.set ?? (await takeSnapshots(ports.cloud, way, (previous?.number ?? 0) + 1, hooks));
  const isLost = begun !== null && resumed === null;
  const home = copy === 'full' || isLost ? null : await homeDescription(ports, way, copy);
  const isWhole = isLost || (home !== null && !(await wasAllThere(ports, previous, home, isOwn)));
  const previousIds = home?.copy === 'changes' ? way.azure.baselineSnapshotIds : [];
  const barrier = await withOpenSet(ports.cloud, way, { set, previousIds }, hooks, async (frozen, disks) => {
    const changed = await extentsByDisk(disks, async (disk) => {
      const extents = isWhole ? wholeDisk(disk) : await firstExtents(ports, way, home, disk, hooks);
      return extentsFrom(extents, resumed?.offsets[disk.disk.diskId] ?? 0);
    });
    const pass = {
      stream,
      previous,
      frozen,
      epoch,
      changed,
      cycle: again ? ('delta' as const) : ('initial' as const),
      phase: 'initial' as const,
      skipZeros: copy === 'full' && !isWhole,
      isResumable: true,
      windowBytes: request.windowBytes ?? WINDOW_BYTES,
    };
    return shipInWindows(ports, pass, hooks, onBarrier);
  });
  if (barrier.kind === 'point' && isOwn(barrier)) return finishCopy(ports, way, barrier);
  // Another attempt has gone on: what is left to do follows from its barrier.
  return runFirstCopy(ports, request, hooks, onBarrier);
}

/** False: somebody else has made a barrier since the disks at home were looked at. */
async function wasAllThere(
  { storage }: ReversePorts,
  newest: Barrier | null,
  home: HomeDescription,
  isOwn: (barrier: Barrier) => boolean,
): Promise<boolean> {
  for (let barrier = newest; barrier !== null && barrier.number > home.landedBarrier;) {
    if (!isOwn(barrier)) return false;
    barrier = await readBarrier(storage, barrier.itemId, barrier.number - 1);
  }
  return true;
}

/** What was found out about the disks at home has served, and nobody reads the snapshots. */
async function finishCopy({ storage, cloud }: ReversePorts, way: HomeWay, point: Barrier): Promise<Barrier> {
  await deleteBlockHashes(storage, way.stream);
  await cloud.endSnapshotAccess(scopeOf(way.item.itemId, way.azure));
  return point;
}

/** A cycle of a session; a barrier that another attempt made first is as good. */
export async function runReverseDelta(
  ports: ReversePorts,
  request: ReverseRequest,
  hooks: CycleHooks,
): Promise<Barrier> {
  return runPass(ports, request, 'delta', hooks);
}

/** The last delta of a deallocated machine: only snapshots and a barrier of this very attempt count. */
export async function runReverseFinal(
  ports: ReversePorts,
  request: ReverseRequest,
  hooks: CycleHooks,
): Promise<Barrier> {
  return untilOwn(request.epoch, () => runPass(ports, request, 'final', hooks));
}

async function runPass(
  ports: ReversePorts,
  { way, epoch, windowBytes = WINDOW_BYTES }: ReverseRequest,
  phase: 'delta' | 'final',
  hooks: CycleHooks,
): Promise<Barrier> {
  const { cloud, storage } = ports;
  const { stream } = way;
  const previous = await latestBarrier(storage, stream);
  const base = await requirePoint(storage, stream, previous);
  const set = await takeSnapshots(cloud, way, (previous?.number ?? 0) + 1, hooks);
  const opening = { set, previousIds: changeIdsOf(way, base) };
  const barrier = await withOpenSet(cloud, way, opening, hooks, async (frozen, disks) => {
    const changed = await extentsByDisk(disks, (disk) => disk.changedExtents());
    const pass = { stream, previous, frozen, epoch, changed, cycle: 'delta', phase } as const;
    return shipInWindows(ports, { ...pass, windowBytes }, hooks);
  });
  if (barrier.epoch === epoch) await dropOutlived(cloud, way, base, set, hooks);
  return barrier;
}

/** The base's snapshots stay beside the new ones, and the baseline; what is between and before them goes. */
async function dropOutlived(
  cloud: Cloud,
  way: HomeWay,
  base: Barrier,
  set: SnapshotSet,
  hooks: CycleHooks,
): Promise<void> {
  const kept = (await snapshotsOf(cloud, way, base))?.number;
  const isOutlived = (number: number) => number > 0 && number < set.number && number !== kept;
  await deleteSnapshots(cloud, way, isOutlived, hooks);
}

async function resumeFrom(
  cloud: Cloud,
  way: HomeWay,
  begun: Barrier,
): Promise<{ readonly set: SnapshotSet; readonly offsets: Offsets } | null> {
  const set = await snapshotsOf(cloud, way, begun);
  return set === null ? null : { set, offsets: begun.resumeOffsets ?? {} };
}

async function homeDescription(
  { storage }: ReversePorts,
  { stream }: HomeWay,
  copy: 'changes' | 'compare',
): Promise<HomeDescription> {
  const home = await loadDescription(storage, stream);
  if (home.copy === copy) return home;
  const reason = `the disks at home are described for ${home.copy}, not for ${copy}`;
  throw new DrError('DR_INTERNAL', { reason });
}

/** What the disk at home lacks. @param home null: it is empty */
async function firstExtents(
  { storage, vaultKey }: ReversePorts,
  { stream }: HomeWay,
  home: HomeDescription | null,
  open: OpenDisk,
  { signal, beat }: CycleHooks,
): Promise<readonly Extent[]> {
  const { disk, source } = open;
  if (home?.copy === 'compare') {
    const key = (await openItemKey(storage, vaultKey, stream)).compareKey(disk.diskId);
    const hashed = { stream, disk: disk.diskId, epoch: home.epoch, key };
    const hashes = await loadBlockHashes(storage, hashed, signal);
    return Array.fromAsync(differingExtents(source, hashes, { key, signal, onProgress: beat }));
  }
  const changed = await open.changedExtents();
  const drift = home?.drift[disk.diskId] ?? [];
  return insideDisk(coalesceExtents([...changed, ...drift], 0), disk);
}

function wholeDisk({ disk }: OpenDisk): Extent[] {
  return [{ offset: 0, length: disk.capacityBytes }];
}
