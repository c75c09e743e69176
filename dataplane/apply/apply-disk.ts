/** Applies a run of barriers to one replica. */
import type { Barrier, BarrierDisk, SegmentRef } from '../../domain/replication.ts';
import { MiB } from '../../domain/units.ts';
import type { ApplyRequest } from './apply-request.ts';
import type { ChainedSegment, SegmentDisk } from './apply-segments.ts';
import { chainSegments, journalGap, writeSegments } from './apply-segments.ts';
import { PAGE_BLOB_COST } from './cost-model.ts';
import { PageWriter } from './page-writer.ts';
import type { Reading } from './plan-writes.ts';
import type { Replica } from './replica.ts';
import { growReplica, setState } from './replica.ts';
import type { Seat } from './seats.ts';
import { inSeat } from './seats.ts';

/** After so much of one disk, others that wait have their turn. */
const TURN_WIRE_BYTES = 128 * MiB;

/** Barriers of which only the last one may become a point: nobody will look at what is between them. */
export type BarrierRun = readonly [Barrier, ...Barrier[]];

/**
 * A replica that has the last barrier already is left as it is. Interrupted, it says it has what it had before, and
 * applying all of this again gives the same pages. A disk that has grown grows its replica first.
 * @throws DR_SEGMENT_CORRUPT, DR_JOURNAL_GAP, DR_REPLICATION_FENCED
 */
export async function applyToDisk(
  request: ApplyRequest,
  run: BarrierRun,
  replica: Replica,
  options: { readonly reading: Reading; onApplied(segment: SegmentRef): void },
): Promise<void> {
  const { item, key, signal } = request;
  const missing = run.filter((barrier) => barrier.number > replica.applied.barrier);
  const last = missing.at(-1);
  if (last === undefined) return;
  let { tail } = replica.applied;
  const chain: ChainedSegment[] = [];
  for (const barrier of missing) {
    const disk = diskOf(request, barrier, replica);
    chain.push(...chainSegments(item, disk, tail));
    ({ tail } = disk);
  }
  const { diskId } = replica;
  const { capacityBytes } = diskOf(request, last, replica);
  await growReplica(replica, capacityBytes);
  for (const turn of turnsOf(chain)) {
    await inSeat(signal, (seat) =>
      writeTurn(request, { item, diskId, capacityBytes, key }, turn, { replica, seat, ...options }),
    );
  }
  await setState(replica, { barrier: last.number, tail, capacityBytes });
}

async function writeTurn(
  request: ApplyRequest,
  disk: SegmentDisk,
  turn: readonly ChainedSegment[],
  options: {
    readonly replica: Replica;
    readonly seat: Seat;
    readonly reading: Reading;
    onApplied(segment: SegmentRef): void;
  },
): Promise<void> {
  const { signal } = request;
  const { seat } = options;
  const { writer, blob } = options.replica;
  const target = {
    write: (offset: number, bytes: Uint8Array) => writer.write(offset, bytes),
    clear: (offset: number, length: number) => writer.clear(offset, length),
    read: async (offset: number, into: Buffer) => {
      await blob.read(null, offset, into.length, signal, into);
    },
  };
  const policy = { reading: options.reading, cost: PAGE_BLOB_COST };
  const pages = new PageWriter(target, signal, { policy, pools: seat.pools });
  try {
    await writeSegments(disk, turn, pages, {
      signal,
      fetch: (ref, whileWanted) => fetchSegment(request, ref, whileWanted),
      budget: seat.fetched,
      onWritten: (ref) => options.onApplied(ref),
    });
    await pages.flush();
  } finally {
    await pages.settled();
  }
}

/** Never empty, unless there is nothing to do. */
function* turnsOf(chain: readonly ChainedSegment[]): Generator<readonly ChainedSegment[]> {
  let turn: ChainedSegment[] = [];
  let wireBytes = 0;
  for (const chained of chain) {
    turn.push(chained);
    wireBytes += chained.ref.wireBytes;
    if (wireBytes < TURN_WIRE_BYTES) continue;
    yield turn;
    turn = [];
    wireBytes = 0;
  }
  if (turn.length > 0) yield turn;
}

async function fetchSegment(
  request: ApplyRequest,
  ref: SegmentRef,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const stored = await request.storage.get(ref.blob, signal);
  if (stored === null) throw journalGap(request.item, `segment ${ref.blob} does not exist`);
  return stored.body;
}

function diskOf(request: ApplyRequest, barrier: Barrier, replica: Replica): BarrierDisk {
  const disk = barrier.disks.find((candidate) => candidate.diskId === replica.diskId);
  if (disk === undefined) {
    throw journalGap(request.item, `barrier ${barrier.number} does not know disk ${replica.diskId}`);
  }
  return disk;
}
