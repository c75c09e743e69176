/**
 * Reads what changed and makes it a barrier of the stream.
 *
 * Segments go to a folder of the journal that is this attempt's own; nothing they hold counts until the barrier
 * names them, and only one attempt can write the barrier. So an attempt may die, be repeated or race another one
 * at any point: what it leaves behind goes into the barrier of an attempt that ships the same, or is garbage that
 * `pruneJournal` removes.
 */
import { DrError } from '../../domain/errors.ts';
import { extentsFrom, totalBytes } from '../../domain/extents.ts';
import { blobNames } from '../../domain/names.ts';
import type { Barrier, BarrierDisk, Extent, SegmentRef } from '../../domain/replication.ts';
import { MiB } from '../../domain/units.ts';
import { mapBounded } from '../budget.ts';
import { Egress, trafficOf } from '../egress/egress.ts';
import { encodeBarrier, readBarrier, tailsAfter } from '../journal/barriers.ts';
import { DiskStream } from './disk-stream.ts';
import { fingerprintOf } from './leftovers.ts';
import { readPieces, readableExtents } from './pieces.ts';
import type { Piece } from './pieces.ts';
import { ProgressMeter } from './progress-meter.ts';
import { keptStream, type KeptStream } from './resume.ts';
import type { ShipDisk, ShipRequest, ShipResult } from './ship-request.ts';
import { Spool } from './spool.ts';
import { zeroRuns } from './zero-runs.ts';

const DISKS_AT_ONCE = 4;
/** Source bytes without a record that an interrupted attempt may have to read again: as much as a segment holds. */
const MARK_BYTES = 8 * MiB;

/**
 * Ships one barrier: resolves when every segment and the barrier itself are durable. A barrier that exists already
 * is adopted without reading anything; an empty delta makes a barrier without segments.
 * Sources stay the caller's to close. Memory is bounded by four disks and four uploads, about 100 MiB.
 * @throws DR_REPLICATION_FENCED when the barrier before it was made by a newer attempt,
 * DR_JOURNAL_GAP when it is missing or the tails are not its tails,
 * DR_REPLICATION_DEFERRED for a delta that the full cache or the paused egress ends,
 * DR_CACHE_DISK_FULL, DR_REPLICATION_SOURCE_READ, DR_STORAGE_…
 */
export async function shipBarrier(request: ShipRequest): Promise<ShipResult> {
  const { storage, item, barrierNumber, signal, key } = request;
  const standing = await readBarrier(storage, item, barrierNumber, signal, key);
  if (standing !== null) return { barrier: standing, adopted: standing.epoch !== request.epoch };
  await checkPredecessor(request);
  for (const disk of request.disks) checkCapacity(disk);
  const { disks, spool } = await shipDisks(request);
  const result = await commit(request, {
    version: 1,
    itemId: item,
    number: barrierNumber,
    kind: request.kind,
    cycle: request.cycle,
    epoch: request.epoch,
    consistency: request.consistency,
    sourceTime: request.sourceTime,
    snapshotName: request.snapshotName,
    durableTime: new Date().toISOString(),
    disks,
    ...(request.resumeOffsets === undefined ? {} : { resumeOffsets: request.resumeOffsets }),
  });
  await spool.discard();
  return result;
}

/** Epochs never shrink along the barriers: `pruneJournal` relies on it to tell a dead attempt's segments from a live one's. */
async function checkPredecessor(request: ShipRequest): Promise<void> {
  const { storage, item, barrierNumber, epoch, signal, key } = request;
  const previous =
    barrierNumber === 1 ? null : await readBarrier(storage, item, barrierNumber - 1, signal, key);
  if (previous === null && barrierNumber > 1) {
    throw gap(request, `barrier ${barrierNumber - 1} does not exist`);
  }
  if (previous !== null && previous.epoch > epoch) {
    const what = `barrier ${barrierNumber} of ${item}`;
    throw new DrError('DR_REPLICATION_FENCED', { epoch, what, newer: previous.epoch });
  }
  const tails = tailsAfter(
    previous,
    request.disks.map((disk) => disk.diskId),
  );
  for (const { diskId, tail } of request.disks) {
    const expected = tails.get(diskId);
    if (tail.hash !== expected?.hash || tail.nextSeq !== expected.nextSeq) {
      throw gap(request, `the chain of disk ${diskId} does not continue barrier ${barrierNumber - 1}`);
    }
  }
}

function checkCapacity({ diskId, capacityBytes, source }: ShipDisk): void {
  if (source.capacityBytes === capacityBytes) return;
  const reason = `the source has ${source.capacityBytes} bytes, the disk ${capacityBytes}`;
  throw new DrError('DR_REPLICATION_SOURCE_READ', { disk: diskId, offset: 0, reason });
}

async function shipDisks(request: ShipRequest): Promise<{ disks: BarrierDisk[]; spool: Spool }> {
  const failed = new AbortController();
  const signal = AbortSignal.any([request.signal, failed.signal]);
  const meter = new ProgressMeter(request);
  const { item, priority, traffic = trafficOf(request.phase), egress = new Egress() } = request;
  const spool = await Spool.open({
    ...request,
    fingerprint: fingerprintOf(request),
    egress,
    flow: { item, traffic, ...(priority === undefined ? {} : { priority }) },
    signal,
    onDurable: (ref) => meter.add({ wireBytes: ref.wireBytes }),
    onFailure: (error) => failed.abort(error),
  });
  try {
    const disks = await mapBounded(request.disks, DISKS_AT_ONCE, (disk) =>
      shipDisk(request, disk, { spool, meter, signal }).catch((error: unknown) => {
        failed.abort(error);
        throw error;
      }),
    );
    await spool.drained();
    signal.throwIfAborted();
    return { disks, spool };
  } catch (error) {
    // What came first is the reason, not what it stopped.
    failed.abort(error);
    countDeferred(request, signal.reason, meter);
    throw signal.reason;
  } finally {
    await spool.close();
  }
}

function countDeferred({ cache, disks }: ShipRequest, reason: unknown, meter: ProgressMeter): void {
  if (!(reason instanceof DrError) || reason.code !== 'DR_REPLICATION_DEFERRED') return;
  const ranges = disks.map(({ extents }) => (Symbol.asyncIterator in extents ? 0 : extents.length));
  cache.level?.deferred({ ranges: ranges.reduce((sum, count) => sum + count, 0), bytes: meter.leftBytes });
}

interface Shipment {
  readonly spool: Spool;
  readonly meter: ProgressMeter;
  readonly signal: AbortSignal;
}

async function shipDisk(request: ShipRequest, disk: ShipDisk, shipment: Shipment): Promise<BarrierDisk> {
  const { spool, signal } = shipment;
  const { epoch, key } = request;
  const { diskId, changeId } = disk;
  const kept = await keptStream({ ...request, signal, folder: spool.folder, epochs: spool.epochs }, disk);
  const keptRefs = kept.segments.map(({ ref }) => ref);
  const rest = await resumed(disk, kept, shipment);
  const stream = new DiskStream({ diskId, epoch, tail: kept.tail, key, spool });
  try {
    const readBytes = await readInto(stream, rest, shipment);
    const { segments, tail } = await stream.finish();
    return {
      diskId,
      capacityBytes: disk.source.capacityBytes,
      segments: [...keptRefs, ...segments],
      tail,
      changeId,
      readBytes: readBytes + rawBytesOf(keptRefs),
    };
  } finally {
    await stream.close();
  }
}

/** The disk without what is in the stream already. */
async function resumed(disk: ShipDisk, kept: KeptStream, { spool, meter }: Shipment): Promise<ShipDisk> {
  if (kept.offset === 0 || Symbol.asyncIterator in disk.extents) return disk;
  for (const { file, ref } of kept.segments) {
    if (file === null) meter.add({ wireBytes: ref.wireBytes });
    else await spool.resend(file, ref);
  }
  const extents = extentsFrom(disk.extents, kept.offset);
  const { capacityBytes } = disk.source;
  const sizeOf = (of: readonly Extent[]) => totalBytes(readableExtents(of, capacityBytes));
  const readBytes = rawBytesOf(kept.segments.map(({ ref }) => ref));
  meter.add({ doneBytes: sizeOf(disk.extents) - sizeOf(extents), readBytes });
  return { ...disk, extents };
}

function rawBytesOf(segments: readonly SegmentRef[]): number {
  return segments.reduce((sum, { rawBytes }) => sum + rawBytes, 0);
}

async function readInto(stream: DiskStream, disk: ShipDisk, shipment: Shipment): Promise<number> {
  let readBytes = 0;
  let quietBytes = 0;
  for await (const piece of readPieces(disk, shipment.signal)) {
    const recordedBytes = await shipPiece(stream, piece, disk.skipZeros);
    readBytes += piece.readBytes;
    quietBytes = recordedBytes > 0 ? 0 : quietBytes + piece.readBytes;
    if (quietBytes >= MARK_BYTES) {
      await markQuiet(stream, disk, piece.offset + piece.length, shipment);
      quietBytes = 0;
    }
    shipment.meter.add({ doneBytes: piece.length, readBytes: piece.readBytes });
  }
  return readBytes;
}

/** Remembers how far zeros were read that no record tells of. */
async function markQuiet(
  stream: DiskStream,
  { diskId }: ShipDisk,
  offset: number,
  { spool }: Shipment,
): Promise<void> {
  const { tail } = await stream.finish();
  await spool.mark({ diskId, nextSeq: tail.nextSeq, offset });
}

/** Answers how many bytes of the piece have a record. */
async function shipPiece(stream: DiskStream, piece: Piece, skipZeros: boolean): Promise<number> {
  const { offset, length, data } = piece;
  if (data === null) {
    if (!skipZeros) await stream.zero(offset, length);
    return skipZeros ? 0 : length;
  }
  let recordedBytes = 0;
  for (const run of zeroRuns(offset, data)) {
    if (run.isZero && skipZeros) continue;
    recordedBytes += run.length;
    if (run.isZero) await stream.zero(offset + run.start, run.length);
    else await stream.write(offset + run.start, data.subarray(run.start, run.start + run.length));
  }
  return recordedBytes;
}

async function commit(request: ShipRequest, barrier: Barrier): Promise<ShipResult> {
  const { storage, item, barrierNumber, signal, epoch, key } = request;
  const name = blobNames.barrier(item, barrierNumber);
  const outcome = await storage.putOnce(name, encodeBarrier(barrier, key), signal);
  if (outcome === 'created') return { barrier, adopted: false };
  const standing = await readBarrier(storage, item, barrierNumber, signal, key);
  if (standing === null) throw gap(request, `${name} vanished`);
  return { barrier: standing, adopted: standing.epoch !== epoch };
}

function gap(request: ShipRequest, reason: string): DrError {
  return new DrError('DR_JOURNAL_GAP', { item: request.item, reason });
}
