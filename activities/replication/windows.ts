/**
 * One pass over what changed, in windows: all but the last end in a `progress` barrier, so that no barrier grows
 * without bound and the other side works beside it. Progress barriers carry no complete state of the disks: a delta
 * that is interrupted starts over from the last `point` barrier, and what its windows shipped is older than what the
 * next attempt ships, so the chain stays right.
 */
import { DrError } from '../../domain/errors.ts';
import { extentEnd, totalBytes } from '../../domain/extents.ts';
import type { DiskId, ProtectedItemId } from '../../domain/ids.ts';
import type { VaultStorage } from '../../domain/ports.ts';
import type { Barrier, Extent } from '../../domain/replication.ts';
import { MiB } from '../../domain/units.ts';
import { readBarrier } from '../../dataplane/journal/barriers.ts';
import {
  NOTHING_COPIED,
  copiedAfter,
  shipFrozen,
  type CycleHooks,
  type FrozenState,
  type ReadPlan,
  type StreamPorts,
} from './frozen-state.ts';

/** Default of `WindowedRead.windowBytes`. */
const WINDOW_BYTES = 2_048 * MiB;
/** Losing a barrier to another attempt happens at most once per such attempt. */
const OWN_TRIES_MAX = 4;

export type ExtentsByDisk = ReadonlyMap<DiskId, readonly Extent[]>;
export type Offsets = Readonly<Record<DiskId, number>>;

export interface WindowedRead extends Pick<
  ReadPlan,
  'cycle' | 'phase' | 'gapBytes' | 'traffic' | 'priority'
> {
  readonly stream: ProtectedItemId;
  readonly previous: Barrier | null;
  readonly frozen: FrozenState;
  readonly epoch: number;
  /** Sorted, not overlapping, for each disk of the state. */
  readonly changed: ExtentsByDisk;
  /** Changed bytes of each disk that one barrier covers; a multiple of 512. Absent: 2 GiB. */
  readonly windowBytes?: number;
  readonly skipZeros?: boolean;
  /** The frozen state outlives an attempt: progress barriers say how far each disk has come, and another attempt goes on. */
  readonly isResumable?: boolean;
}

/** Ends with the pass's `point` barrier, or with the first barrier that another attempt has made instead. */
export async function shipInWindows(
  ports: StreamPorts,
  request: WindowedRead,
  hooks: CycleHooks,
  onBarrier: (barrier: Barrier) => void = () => undefined,
): Promise<Barrier> {
  const { changed, epoch, windowBytes = WINDOW_BYTES, skipZeros = false, isResumable = false } = request;
  const windows = inWindows(changed, windowBytes);
  const startedAt = new Date().toISOString();
  let { previous } = request;
  let copied = NOTHING_COPIED;
  for (const [index, extents] of windows.entries()) {
    hooks.signal.throwIfAborted();
    const isLast = index === windows.length - 1;
    const plan: ReadPlan = {
      kind: isLast ? 'point' : 'progress',
      cycle: request.cycle,
      phase: request.phase,
      totalBytes: sizeOf(changed),
      before: copied,
      startedAt,
      skipZeros,
      isResumable,
      ...(request.gapBytes === undefined ? {} : { gapBytes: request.gapBytes }),
      ...(request.traffic === undefined ? {} : { traffic: request.traffic }),
      ...(request.priority === undefined ? {} : { priority: request.priority }),
      ...(isLast || !isResumable ? {} : { resumeOffsets: offsetsAfter(windows.slice(0, index + 1)) }),
      extentsOf: (disk) => extents.get(disk.diskId) ?? [],
    };
    const number = (previous?.number ?? 0) + 1;
    const { stream, frozen } = request;
    const barrier = await shipFrozen(ports, { stream, previous, frozen, number, epoch, plan }, hooks);
    onBarrier(barrier);
    // Another attempt has gone on from here: its barrier is the stream now.
    if (barrier.epoch !== epoch || barrier.kind === 'point') return barrier;
    copied = copiedAfter(copied, barrier, sizeOf(extents));
    previous = barrier;
  }
  throw new DrError('DR_INTERNAL', { reason: 'a pass without a last window' });
}

/**
 * Repeats a pass until its barrier is this attempt's own: what an older attempt made, of an earlier failover too, may
 * hold the source as it was before it was stopped.
 */
export async function untilOwn(epoch: number, pass: () => Promise<Barrier>): Promise<Barrier> {
  for (let tries = 1; tries <= OWN_TRIES_MAX; tries += 1) {
    const barrier = await pass();
    if (barrier.epoch === epoch) return barrier;
  }
  throw new DrError('DR_INTERNAL', { reason: 'other attempts keep writing barriers' });
}

/** The newest barrier that holds a complete state of the disks, from `newest` backwards; null: there is none yet. */
export async function lastPoint(storage: VaultStorage, newest: Barrier | null): Promise<Barrier | null> {
  let barrier = newest;
  while (barrier !== null && barrier.kind !== 'point') {
    barrier = await readBarrier(storage, barrier.itemId, barrier.number - 1);
  }
  return barrier;
}

/** @throws DR_JOURNAL_GAP when there is nothing to continue from */
export async function requirePoint(
  storage: VaultStorage,
  stream: ProtectedItemId,
  newest: Barrier | null,
): Promise<Barrier> {
  const point = await lastPoint(storage, newest);
  if (point !== null) return point;
  const reason = 'there is no recovery point to continue from';
  throw new DrError('DR_JOURNAL_GAP', { item: stream, reason });
}

export function sizeOf(extents: ExtentsByDisk): number {
  return totalBytes([...extents.values()].flat());
}

/** Splits every disk's extents at `windowBytes`; always at least one window, which may be empty. */
function inWindows(changed: ExtentsByDisk, windowBytes: number): ExtentsByDisk[] {
  const perDisk = [...changed].map(([disk, extents]) => [disk, split(extents, windowBytes)] as const);
  const count = Math.max(1, ...perDisk.map(([, windows]) => windows.length));
  return Array.from(
    { length: count },
    (_, index) => new Map(perDisk.map(([disk, windows]) => [disk, windows[index] ?? []])),
  );
}

function split(extents: readonly Extent[], windowBytes: number): Extent[][] {
  const windows: Extent[][] = [];
  let room = 0;
  for (const extent of extents) {
    for (let done = 0; done < extent.length;) {
      if (room === 0) {
        windows.push([]);
        room = windowBytes;
      }
      const length = Math.min(room, extent.length - done);
      windows.at(-1)?.push({ offset: extent.offset + done, length });
      done += length;
      room -= length;
    }
  }
  return windows;
}

/** Where the last extent of each disk ends; a disk without any has not begun. */
function offsetsAfter(windows: readonly ExtentsByDisk[]): Offsets {
  const ends = new Map<DiskId, number>();
  for (const [disk, extents] of windows.flatMap((window) => [...window])) {
    const last = extents.at(-1);
    ends.set(disk, last === undefined ? (ends.get(disk) ?? 0) : extentEnd(last));
  }
  return Object.fromEntries(ends) as Offsets;
}
