/** The recovery site's side of scrubbing: what was sampled at the source is read again from the recovery point. */
import { coalesceExtents, totalBytes } from '../../domain/extents.ts';
import type { ProtectedItemId } from '../../domain/ids.ts';
import type { VaultStorage } from '../../domain/ports.ts';
import type { Extent, PointDisk, RecoveryPoint } from '../../domain/replication.ts';
import type { DifferingDisk, DiskScrub, ScrubFinding, ScrubTotals } from '../../domain/scrub.ts';
import { mapBounded } from '../budget.ts';
import { listPointNames, readListedPoint, type PointName } from '../journal/manifests.ts';
import type { ItemKey } from '../keys.ts';
import { openReplicaSource } from '../source/replica-source.ts';
import { blockLength, hashBlocksOf } from './block-hash.ts';
import {
  listScrub,
  loadFinding,
  loadSample,
  loadState,
  saveFinding,
  saveState,
  type SampledDisk,
  type ScrubSample,
  type ScrubState,
} from './records.ts';
import { dropScrub } from './sweep.ts';

/** Of a finding; a disk that differs everywhere needs no list. */
const RANGES_MAX = 64;

export interface CompareSamplesRequest {
  readonly storage: VaultStorage;
  readonly item: ProtectedItemId;
  readonly key: ItemKey;
  /** Points of later barriers are not there yet. */
  readonly appliedBarrier: number;
  /** What is not compared by then is not compared at all: applying goes before. */
  readonly timeMs: number;
  /** Health shows already that the replica differs. */
  readonly isKnown: boolean;
  readonly signal: AbortSignal;
}

export interface SamplesCompared {
  readonly totals: ScrubTotals;
  /** What health has to show, oldest first: what this call found, and what an earlier one could not tell. */
  readonly findings: readonly ScrubFinding[];
}

/**
 * Compares the samples that have a point since the last call. A point that retention has ended is passed over; a block
 * counts as different only when it was read twice.
 * @throws DR_STORAGE_…, DR_KEY_MISSING, the signal's reason: then the next call compares again
 */
export async function compareSamples(request: CompareSamplesRequest): Promise<SamplesCompared> {
  const { storage, item, signal, appliedBarrier } = request;
  const names = await listScrub(storage, item, signal);
  if (names.samples.length + names.findings.length === 0) return { totals: NOTHING, findings: [] };
  const listed = await listPointNames(storage, item, signal);
  const points = new Map(listed.map((name) => [name.barrierNumber, name]));
  await dropScrub(storage, item, names, (number) => number <= appliedBarrier && !points.has(number));
  const state = (await loadState(request)) ?? beginning(item);
  const waiting = names.samples.filter(
    (number) => number > state.comparedBarrier && number <= appliedBarrier,
  );
  const compared = await compareWaiting(request, waiting, points, state.totals);
  const fresh = compared.findings.map(({ barrierNumber }) => barrierNumber);
  const untold = request.isKnown ? [] : [...state.untold, ...fresh];
  const comparedBarrier = waiting.at(-1) ?? state.comparedBarrier;
  const { totals } = compared;
  if (waiting.length > 0 || untold.length !== state.untold.length) {
    await saveState(request, { version: 1, itemId: item, comparedBarrier, untold, totals });
  }
  const findings = await mapBounded(untold, 1, (number) => loadFinding(request, number));
  return { totals, findings: findings.filter((finding) => finding !== null) };
}

async function compareWaiting(
  request: CompareSamplesRequest,
  waiting: readonly number[],
  points: ReadonlyMap<number, PointName>,
  before: ScrubTotals,
): Promise<{ readonly totals: ScrubTotals; readonly findings: readonly ScrubFinding[] }> {
  const { storage, signal, key } = request;
  const deadlineMs = performance.now() + request.timeMs;
  const findings: ScrubFinding[] = [];
  let totals = before;
  for (const number of waiting) {
    const listed = points.get(number);
    if (listed === undefined) continue;
    const sample = await loadSample(request, number);
    const point = await readListedPoint(storage, listed, signal, key);
    if (sample === null || point === null) continue;
    const compared = await compareSample(request, sample, point, deadlineMs);
    totals = addedTo(totals, compared);
    const disks = compared.flatMap(({ differing }) => (differing === null ? [] : [differing]));
    if (disks.length === 0) continue;
    const finding = findingOf(point, 'scrub', disks);
    await saveFinding(request, finding);
    findings.push(finding);
  }
  return { totals, findings };
}

/** `disks`: as they were found; the longest list of ranges is cut. */
export function findingOf(
  { itemId, barrierNumber, pointId }: Pick<RecoveryPoint, 'itemId' | 'barrierNumber' | 'pointId'>,
  foundBy: ScrubFinding['foundBy'],
  disks: readonly DifferingDisk[],
): ScrubFinding {
  const cut = disks.map((disk) => ({ ...disk, ranges: disk.ranges.slice(0, RANGES_MAX) }));
  const foundAt = new Date().toISOString();
  return { version: 1, itemId, barrierNumber, pointId, foundBy, foundAt, disks: cut };
}

interface DiskCompared {
  readonly sampled: SampledDisk;
  readonly blocks: number;
  readonly bytes: number;
  readonly differingBlocks: number;
  readonly differing: DifferingDisk | null;
}

const NOTHING: ScrubTotals = { blocks: 0, bytes: 0, differingBlocks: 0, lastAt: null, disks: [] };

function beginning(item: ProtectedItemId): ScrubState {
  return { version: 1, itemId: item, comparedBarrier: 0, untold: [], totals: NOTHING };
}

async function compareSample(
  request: CompareSamplesRequest,
  sample: ScrubSample,
  point: RecoveryPoint,
  deadlineMs: number,
): Promise<DiskCompared[]> {
  const compared: DiskCompared[] = [];
  for (const sampled of sample.disks) {
    const disk = point.disks.find(({ diskId }) => diskId === sampled.diskId);
    // A disk of another size is another disk: replication says so itself.
    if (disk?.capacityBytes !== sampled.capacityBytes) continue;
    compared.push(await compareDisk(request, sampled, disk, deadlineMs));
  }
  return compared;
}

async function compareDisk(
  { storage, key, signal }: CompareSamplesRequest,
  sampled: SampledDisk,
  disk: PointDisk,
  deadlineMs: number,
): Promise<DiskCompared> {
  const { blockBytes, capacityBytes, diskId } = sampled;
  const source = openReplicaSource(storage.replica(disk.replicaBlob), disk.snapshotId, capacityBytes);
  const known = new Map(sampled.blocks);
  const hash = (blocks: readonly number[]) =>
    hashBlocksOf({
      source,
      key: key.scrubKey(diskId),
      blockBytes,
      blocks,
      isOver: () => performance.now() > deadlineMs,
      signal,
    });
  const differ = (hashed: readonly (readonly [number, string])[]) =>
    hashed.filter(([block, value]) => known.get(block) !== value).map(([block]) => block);
  const hashed = await hash([...known.keys()]);
  const suspects = differ(hashed);
  const differing = suspects.length === 0 ? [] : differ(await hash(suspects));
  const extents = differing.map((block) => extentOf(block, sampled));
  const ranges = coalesceExtents(extents, 0);
  return {
    sampled,
    blocks: hashed.length,
    bytes: totalBytes(hashed.map(([block]) => extentOf(block, sampled))),
    differingBlocks: differing.length,
    differing: ranges.length === 0 ? null : { diskId, differingBytes: totalBytes(ranges), ranges },
  };
}

function extentOf(block: number, { blockBytes, capacityBytes }: SampledDisk): Extent {
  return { offset: block * blockBytes, length: blockLength(block, blockBytes, capacityBytes) };
}

function addedTo(totals: ScrubTotals, compared: readonly DiskCompared[]): ScrubTotals {
  const passes = new Map(totals.disks.map((disk) => [disk.diskId, disk]));
  for (const { sampled, blocks } of compared) {
    passes.set(sampled.diskId, passAfter(passes.get(sampled.diskId), sampled, blocks));
  }
  const sum = (of: (each: DiskCompared) => number) => compared.reduce((all, each) => all + of(each), 0);
  return {
    blocks: totals.blocks + sum((each) => each.blocks),
    bytes: totals.bytes + sum((each) => each.bytes),
    differingBlocks: totals.differingBlocks + sum((each) => each.differingBlocks),
    lastAt: new Date().toISOString(),
    disks: [...passes.values()],
  };
}

function passAfter(before: DiskScrub | undefined, sampled: SampledDisk, compared: number): DiskScrub {
  const { diskId, pass, blockBytes, capacityBytes } = sampled;
  const blocks = Math.ceil(capacityBytes / blockBytes);
  const earlier = before?.pass === pass ? before.comparedBlocks : 0;
  return { diskId, pass, comparedBlocks: Math.min(blocks, earlier + compared), blocks };
}
