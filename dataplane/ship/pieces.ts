/** From changed extents to pieces of the disk in order: holes, and data read ahead of its use. */
import { DrError } from '../../domain/errors.ts';
import {
  coalesceExtents,
  extentEnd,
  intersectExtent,
  joinExtents,
  splitExtent,
  subtractExtents,
} from '../../domain/extents.ts';
import type { DiskSource } from '../../domain/ports.ts';
import type { Extent } from '../../domain/replication.ts';
import { KiB, MiB } from '../../domain/units.ts';
import type { ShipDisk } from './ship-request.ts';

/** Unchanged bytes read along rather than sent as a request of their own: 64 KiB cost as much as one more Put Page. */
const GAP_BYTES = 64 * KiB;
/** A longer extent is handed on before its end is known, so that shipping begins while a comparison still runs. */
const JOINED_BYTES_MAX = 128 * MiB;
const READ_BYTES = MiB;
const READS_AHEAD = 4;
/** Bounds how many extents one question for block status can answer. */
const STATUS_WINDOW_BYTES = 128 * MiB;

/** What is read of a disk. */
export interface PieceRequest extends Pick<ShipDisk, 'extents' | 'gapBytes'> {
  readonly source: Pick<DiskSource, 'capacityBytes' | 'readsAtOnce' | 'read' | 'dataExtents'>;
}

export interface Piece {
  readonly offset: number;
  readonly length: number;
  /** Null: the range reads as zeros. Valid until the next piece is asked for. */
  readonly data: Buffer | null;
}

/** Pieces of all extents in ascending order; as many reads are in flight as the source takes, four unless it says more. */
export async function* readPieces(disk: PieceRequest, signal: AbortSignal): AsyncGenerator<Piece> {
  const plan = planPieces(disk, signal);
  const buffers: Buffer[] = [];
  const ahead: Promise<Piece>[] = [];
  const readsAtOnce = disk.source.readsAtOnce ?? READS_AHEAD;
  try {
    for (let ended = false; !ended || ahead.length > 0;) {
      while (!ended && ahead.length < readsAtOnce) {
        const next = await plan.next();
        if (next.done === true) ended = true;
        else ahead.push(startRead(disk.source, next.value, buffers, signal));
      }
      const piece = await ahead.shift();
      if (piece === undefined) continue;
      yield piece;
      if (piece.data !== null) buffers.push(piece.data);
    }
  } finally {
    await Promise.allSettled(ahead);
    await plan.return(undefined);
  }
}

/** The extents as they will be read: inside the disk, neighbours joined. */
export function readableExtents(
  extents: readonly Extent[],
  capacityBytes: number,
  gapBytes = GAP_BYTES,
): Extent[] {
  const disk = { offset: 0, length: capacityBytes };
  return coalesceExtents(extents, gapBytes)
    .map((extent) => intersectExtent(extent, disk))
    .filter((extent) => extent !== null);
}

interface PlannedPiece extends Extent {
  readonly isHole: boolean;
}

async function* planPieces(disk: PieceRequest, signal: AbortSignal): AsyncGenerator<PlannedPiece> {
  for await (const extent of joined(disk)) {
    for (const window of splitExtent(extent, STATUS_WINDOW_BYTES)) {
      signal.throwIfAborted();
      const data = await disk.source.dataExtents(window, signal);
      const holes = subtractExtents(window, data).map((hole) => ({ ...hole, isHole: true }));
      const reads = data
        .flatMap((part) => [...splitExtent(part, READ_BYTES)])
        .map((part) => ({ ...part, isHole: false }));
      yield* [...holes, ...reads].toSorted((a, b) => a.offset - b.offset);
    }
  }
}

async function* joined(disk: PieceRequest): AsyncGenerator<Extent> {
  const { capacityBytes } = disk.source;
  if (Symbol.asyncIterator in disk.extents) {
    yield* joinStream(disk.extents, capacityBytes, disk.gapBytes ?? GAP_BYTES);
  } else {
    yield* readableExtents(disk.extents, capacityBytes, disk.gapBytes);
  }
}

async function* joinStream(
  extents: AsyncIterable<Extent>,
  capacityBytes: number,
  gapBytes: number,
): AsyncGenerator<Extent> {
  let open: Extent | null = null;
  for await (const extent of extents) {
    const inside = intersectExtent(extent, { offset: 0, length: capacityBytes });
    if (inside === null) continue;
    if (open !== null && inside.offset < open.offset) {
      throw new DrError('DR_INTERNAL', { reason: `changed areas are not sorted at ${extentEnd(inside)}` });
    }
    const both: Extent | null = open === null ? inside : joinExtents(open, inside, gapBytes);
    const isLong: boolean = (both?.length ?? 0) > JOINED_BYTES_MAX;
    if (open !== null && (both === null || isLong)) yield open;
    open = isLong ? inside : (both ?? inside);
  }
  if (open !== null) yield open;
}

function startRead(
  source: PieceRequest['source'],
  planned: PlannedPiece,
  buffers: Buffer[],
  signal: AbortSignal,
): Promise<Piece> {
  const { offset, length } = planned;
  if (planned.isHole) return Promise.resolve({ offset, length, data: null });
  const whole = Buffer.from((buffers.pop() ?? Buffer.allocUnsafeSlow(READ_BYTES)).buffer);
  const data = whole.subarray(0, length);
  const reading = source.read(offset, data, signal).then(() => ({ offset, length, data }));
  // A failure is met when its turn comes.
  reading.catch(() => undefined);
  return reading;
}
