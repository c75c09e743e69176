/** One barrier, from the storage account to the disks at home. */
import type { DiskId, ProtectedItemId } from '../../domain/ids.ts';
import type { DiskSink } from '../../domain/ports.ts';
import type { Barrier, SegmentRef } from '../../domain/replication.ts';
import { CHAIN_START } from '../../domain/replication.ts';
import { MiB } from '../../domain/units.ts';
import type { ChainedSegment, SegmentDisk } from '../apply/apply-segments.ts';
import { chainSegments, journalGap, writeSegments } from '../apply/apply-segments.ts';
import { PageWriter, createWriterPools } from '../apply/page-writer.ts';
import { Budget, mapBounded } from '../budget.ts';
import type { ItemKey } from '../keys.ts';
import { proveSegment } from '../segment/open-segment.ts';
import type { Landed } from './landed-record.ts';
import type { SegmentCache } from './segment-cache.ts';

const DISKS_AT_ONCE = 4;
const SEGMENTS_AT_ONCE = 4;
/** One that fills for each disk and two on their way, 8 MiB each; more than one window is needed only by odd writes. */
const BATCHES_MAX = DISKS_AT_ONCE + 2;
const WINDOWS_MAX = 2;
/** The segments lie on a local disk: there is little to fetch ahead. */
const READ_BYTES_MAX = 16 * MiB;

export interface LandDisk {
  /** Id in the stream. */
  readonly diskId: DiskId;
  readonly capacityBytes: number;
  readonly sink: DiskSink;
}

/** What of a barrier one disk has to take in. */
export interface DiskPart {
  readonly disk: SegmentDisk;
  readonly sink: DiskSink;
  readonly chain: readonly ChainedSegment[];
}

/** @throws DR_JOURNAL_GAP when barrier and disks do not belong together */
export function planBarrier(
  request: {
    readonly stream: ProtectedItemId;
    readonly disks: readonly LandDisk[];
    readonly key: ItemKey;
  },
  barrier: Barrier,
  tails: Landed['tails'],
): DiskPart[] {
  const { stream: item, key } = request;
  const stray = barrier.disks.find(
    ({ diskId }) => !request.disks.some((candidate) => candidate.diskId === diskId),
  );
  if (stray !== undefined) {
    throw journalGap(item, `barrier ${barrier.number} has disk ${stray.diskId}, which is not landed`);
  }
  return request.disks.map(({ diskId, capacityBytes, sink }) => {
    const found = barrier.disks.find((candidate) => candidate.diskId === diskId);
    if (found === undefined) throw journalGap(item, `barrier ${barrier.number} does not know disk ${diskId}`);
    if (found.capacityBytes !== capacityBytes || sink.capacityBytes !== capacityBytes) {
      const reason = `disk ${diskId} has ${found.capacityBytes} bytes in barrier ${barrier.number}, ${sink.capacityBytes} at home`;
      throw journalGap(item, reason);
    }
    const chain = chainSegments(item, found, tails[diskId] ?? CHAIN_START);
    return { disk: { item, diskId, capacityBytes, key }, sink, chain };
  });
}

/** Brings all segments of the barrier into the cache and proves each of them to be, byte for byte, what was shipped. */
export async function fetchBarrier(
  parts: readonly DiskPart[],
  cache: SegmentCache,
  signal: AbortSignal,
  onFetched: () => void,
): Promise<void> {
  const segments = parts.flatMap(({ disk, chain }) => chain.map((chained) => ({ disk, ...chained })));
  await mapBounded(segments, SEGMENTS_AT_ONCE, async ({ disk, ref, tail }) => {
    signal.throwIfAborted();
    const bytes = await cache.hold(ref, signal);
    await proveSegment(bytes, { ...disk, ref, tail });
    onFetched();
  });
}

/** Writes all segments out of the cache; resolves when they are on stable storage on every disk. */
export async function writeBarrier(
  parts: readonly DiskPart[],
  cache: SegmentCache,
  signal: AbortSignal,
  onWritten: (ref: SegmentRef) => void,
): Promise<void> {
  const pools = createWriterPools(BATCHES_MAX, WINDOWS_MAX);
  const options = { signal, budget: new Budget(READ_BYTES_MAX), onWritten };
  await mapBounded(parts, DISKS_AT_ONCE, async ({ disk, sink, chain }) => {
    const target = {
      write: (offset: number, bytes: Uint8Array) => sink.write(offset, bytes, signal),
      clear: (offset: number, length: number) => sink.zero(offset, length, signal),
    };
    const pages = new PageWriter(target, signal, { pools });
    try {
      await writeSegments(disk, chain, pages, { ...options, fetch: (ref) => cache.read(ref) });
      await pages.flush();
    } finally {
      await pages.settled();
    }
    await sink.flush(signal);
  });
}
