/** From changed extents to pieces of the disk in order: holes, and data read ahead of its use. */
import type { DiskSource } from '../../domain/ports.ts';
import { READ_BYTES, planReads } from './read-plan.ts';
import type { PieceRequest, PlannedRead } from './read-plan.ts';
import { ReadRing } from './read-ring.ts';

export { readableExtents } from './read-plan.ts';
export type { PieceRequest } from './read-plan.ts';

/** Of their longest; as many small reads as have room in the same memory, up to `SMALL_READS_AHEAD`. */
const READS_AHEAD = 4;
const SMALL_READS_AHEAD = 32;

export interface Piece {
  readonly offset: number;
  readonly length: number;
  /** Null: the range reads as zeros. Valid until the next piece is asked for. */
  readonly data: Buffer | null;
  /** Bytes read for it: 0 for a hole; the gap before it counts along. */
  readonly readBytes: number;
}

/**
 * Exactly the extents, in ascending order, in pieces that do not cross a MiB; gaps are read, where it helps, but not
 * handed out. As many reads are in flight as the source takes, four of a MiB unless it says more, and so is the memory.
 */
export async function* readPieces(disk: PieceRequest, signal: AbortSignal): AsyncGenerator<Piece> {
  const { source } = disk;
  const plan = planReads(disk, signal);
  const ring = new ReadRing((source.readsAtOnce ?? READS_AHEAD) * (source.readBytes ?? READ_BYTES));
  const readsMax = source.readsAtOnce ?? SMALL_READS_AHEAD;
  const ahead: Reading[] = [];
  let planned = await plan.next();
  try {
    for (;;) {
      while (planned.done !== true && ahead.length < readsMax) {
        const reading = beginRead(source, planned.value, ring, signal);
        if (reading === null) break;
        ahead.push(reading);
        planned = await plan.next();
      }
      const reading = ahead.shift();
      if (reading === undefined) return;
      const data = await reading.data;
      yield* piecesOf(reading.planned, data);
      if (data !== null) ring.giveOldest();
    }
  } finally {
    await Promise.allSettled(ahead.map(({ data }) => data));
    await plan.return(undefined);
  }
}

interface Reading {
  readonly planned: PlannedRead;
  readonly data: Promise<Buffer | null>;
}

/** Null: there is no room for it yet. */
function beginRead(
  source: Pick<DiskSource, 'read'>,
  planned: PlannedRead,
  ring: ReadRing,
  signal: AbortSignal,
): Reading | null {
  if (planned.isHole) return { planned, data: Promise.resolve(null) };
  const into = ring.take(planned.length);
  if (into === null) return null;
  const data = source.read(planned.offset, into, signal).then(() => into);
  // A failure is met when its turn comes.
  data.catch(() => undefined);
  return { planned, data };
}

function* piecesOf(planned: PlannedRead, data: Buffer | null): Generator<Piece> {
  let readTo = planned.offset;
  for (const { offset, length } of planned.parts) {
    const end = offset + length;
    if (data === null) {
      yield { offset, length, data, readBytes: 0 };
    } else {
      const bytes = data.subarray(offset - planned.offset, end - planned.offset);
      yield { offset, length, data: bytes, readBytes: end - readTo };
    }
    readTo = end;
  }
}
