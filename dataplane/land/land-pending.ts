/**
 * Brings disks at home up to the reverse stream. Barriers strictly in order. Each is fetched and verified as a whole
 * before the first byte of it is written; from then on the record says `torn` until it is flushed to every disk, so
 * that nobody takes a half-written machine for a whole one. A torn barrier is written again from its start: the same
 * bytes to the same places.
 */
import type { ProtectedItemId } from '../../domain/ids.ts';
import type { VaultStorage } from '../../domain/ports.ts';
import type { ApplyProgress } from '../journal/pending.ts';
import { BarrierMeter, readPending } from '../journal/pending.ts';
import type { ItemKey } from '../keys.ts';
import type { LandDisk } from './land-barrier.ts';
import { fetchBarrier, planBarrier, writeBarrier } from './land-barrier.ts';
import { LandedRecord } from './landed-record.ts';
import { SegmentCache } from './segment-cache.ts';

export type { LandDisk } from './land-barrier.ts';
export { readLanded } from './landed-record.ts';

export interface LandRequest {
  /** `reverseStream(…)`: names barriers, journal and record. */
  readonly stream: ProtectedItemId;
  /** All disks of the stream. */
  readonly disks: readonly LandDisk[];
  /** Fencing epoch of this attempt; older ones are refused from now on. */
  readonly epoch: number;
  readonly key: ItemKey;
  readonly storage: VaultStorage;
  /** Keeps one barrier's segments, below `landing/<stream>`. */
  readonly cacheFolder: string;
  readonly signal: AbortSignal;
  /** Lands nothing behind this barrier; one that is torn is finished all the same. */
  readonly upToBarrier?: number;
  /** Barriers landed at most in this call. */
  readonly barriersMax?: number;
  /** Called for every segment fetched and written, and for every barrier. */
  onProgress(progress: ApplyProgress): void;
}

export interface LandResult {
  /** 0: nothing yet. */
  readonly landedBarrier: number;
  /** ISO 8601 UTC, of that barrier. Null: nothing was landed yet. */
  readonly sourceTime: string | null;
  /** There are durable barriers behind `landedBarrier`. */
  readonly moreWaiting: boolean;
}

/**
 * Lands what is durable and not on the disks yet. The caller holds the lock of every disk, for as long as this runs:
 * the record keeps an older attempt from saying something, the locks keep it from writing. When the storage account
 * is lost after a barrier was fetched, the disks still get all of it before the call fails.
 * Memory is bounded by four disks, about 40 MiB each; the cache folder by one barrier.
 * @throws DR_REPLICATION_FENCED, DR_SEGMENT_CORRUPT, DR_JOURNAL_GAP, DR_KEY_MISSING, DR_CACHE_DISK_FULL,
 * DR_REPLICATION_TARGET_WRITE, DR_STORAGE_…
 */
export async function landPending(request: LandRequest): Promise<LandResult> {
  const { stream, storage, epoch, signal } = request;
  const record = await LandedRecord.take(storage, stream, epoch, signal);
  const cache = new SegmentCache(request);
  if (!record.landed.torn) await cache.clear();
  const tornBarrier = record.landed.torn ? record.landed.barrier : 0;
  const { upToBarrier = Infinity, barriersMax } = request;
  const { pending, newest } = await readPending(
    {
      item: stream,
      storage,
      signal,
      key: request.key,
      upToBarrier: Math.max(upToBarrier, tornBarrier),
      ...(barriersMax === undefined ? {} : { barriersMax }),
    },
    record.wholeBarrier,
  );
  const meter = new BarrierMeter(pending, newest, (progress) => request.onProgress(progress));
  for (const barrier of pending) {
    const parts = planBarrier(request, barrier, record.landed.tails);
    await cache.open();
    await fetchBarrier(parts, cache, signal, () => meter.tell());
    await record.begin(barrier);
    await writeBarrier(parts, cache, signal, (segment) => meter.segmentApplied(segment));
    await record.finish(barrier);
    await cache.clear();
    meter.barrierApplied(barrier.number);
  }
  const { barrier, sourceTime } = record.landed;
  return {
    landedBarrier: barrier,
    sourceTime: barrier === 0 ? null : sourceTime,
    moreWaiting: newest > barrier,
  };
}
