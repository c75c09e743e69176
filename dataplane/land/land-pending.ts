/**
 * Brings disks at home up to the reverse stream. Barriers strictly in order. Each is fetched and verified as a whole
 * before the first byte of it is written, while the one before it is being written; from then on the record says `torn` until it is flushed to every disk, so
 * that nobody takes a half-written machine for a whole one. A torn barrier is written again from its start: the same
 * bytes to the same places.
 */
import type { ProtectedItemId } from '../../domain/ids.ts';
import type { VaultStorage } from '../../domain/ports.ts';
import type { Barrier } from '../../domain/replication.ts';
import type { ApplyProgress } from '../journal/pending.ts';
import { BarrierMeter, readPending } from '../journal/pending.ts';
import type { ItemKey } from '../keys.ts';
import type { DiskPart, LandDisk } from './land-barrier.ts';
import { fetchBarrier, planBarrier, writeBarrier } from './land-barrier.ts';
import type { Landed } from './landed-record.ts';
import { LandedRecord, tailsOf } from './landed-record.ts';
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
  /** Keeps two barriers' segments, below `landing/<stream>`. */
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
 * Memory is bounded whatever the number of disks, by about 130 MiB beside what threads share; the cache folder by two
 * barriers.
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
  for await (const { barrier, parts } of fetchAhead(request, pending, record.landed.tails, {
    cache,
    meter,
  })) {
    await record.begin(barrier);
    await writeBarrier(parts, cache, signal, (segment) => meter.segmentApplied(segment));
    await record.finish(barrier);
    await cache.drop(barrier.disks.flatMap((disk) => disk.segments));
    meter.barrierApplied(barrier.number);
  }
  await cache.clear();
  const { barrier, sourceTime } = record.landed;
  return {
    landedBarrier: barrier,
    sourceTime: barrier === 0 ? null : sourceTime,
    moreWaiting: newest > barrier,
  };
}

/** Fetched barriers in order; while one is being written, the next is fetched. */
async function* fetchAhead(
  request: LandRequest,
  pending: readonly Barrier[],
  firstTails: Landed['tails'],
  { cache, meter }: { readonly cache: SegmentCache; readonly meter: BarrierMeter },
): AsyncGenerator<{ readonly barrier: Barrier; readonly parts: readonly DiskPart[] }> {
  const stop = new AbortController();
  const signal = AbortSignal.any([request.signal, stop.signal]);
  const begin = (barrier: Barrier, tails: Landed['tails']) => {
    const fetch = async () => {
      const parts = planBarrier(request, barrier, tails);
      await cache.open();
      await fetchBarrier(parts, cache, signal, () => meter.tell());
      return { barrier, parts };
    };
    const fetching = fetch();
    // A failure is met when its turn comes.
    fetching.catch(() => undefined);
    return fetching;
  };
  const [first] = pending;
  let fetching = first === undefined ? null : begin(first, firstTails);
  try {
    for (let next = 1; fetching !== null; next += 1) {
      const fetched = await fetching;
      const after = pending[next];
      fetching = after === undefined ? null : begin(after, tailsOf(fetched.barrier));
      yield fetched;
    }
  } finally {
    stop.abort();
    await fetching?.catch(() => undefined);
  }
}
