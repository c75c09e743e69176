/** From changed extents to reads: holes are left out, neighbours are read together, nothing twice. */
import { DrError } from '../../domain/errors.ts';
import {
  coalesceExtents,
  extentEnd,
  intersectExtent,
  joinExtents,
  splitExtent,
} from '../../domain/extents.ts';
import type { DiskSource } from '../../domain/ports.ts';
import type { Extent } from '../../domain/replication.ts';
import { KiB, MiB } from '../../domain/units.ts';
import type { ShipDisk } from './ship-request.ts';

/** Unchanged bytes that are read along rather than asked around: a request costs as much. They are not sent. */
const GAP_BYTES = 64 * KiB;
/** A longer extent is handed on before its end is known, so that shipping begins while a comparison still runs. */
const JOINED_BYTES_MAX = 128 * MiB;
/** No read is longer unless its source says so, and none crosses a multiple of its length. */
export const READ_BYTES = MiB;
/** No part of a read crosses a multiple of it. */
const PART_BYTES = MiB;
/** Of a shorter extent, reading zeros costs less than asking for holes. */
const STATUS_BYTES_MIN = MiB;
/** Bounds how many extents one question for block status can answer. */
const STATUS_WINDOW_BYTES = 128 * MiB;

/** What is read of a disk. */
export interface PieceRequest extends Pick<ShipDisk, 'extents' | 'gapBytes'> {
  readonly source: Pick<DiskSource, 'capacityBytes' | 'readBytes' | 'readsAtOnce' | 'read' | 'dataExtents'>;
}

/** One read, or a hole that needs none. */
export interface PlannedRead extends Extent {
  readonly isHole: boolean;
  /** What was asked for of it, in order; a gap between two of them is unchanged. */
  readonly parts: readonly Extent[];
}

/** Reads and holes of all extents in ascending order. @throws DR_INTERNAL for extents that are not sorted */
export async function* planReads(disk: PieceRequest, signal: AbortSignal): AsyncGenerator<PlannedRead> {
  const joiner = new ReadJoiner(disk.gapBytes ?? GAP_BYTES, disk.source.readBytes ?? READ_BYTES);
  for await (const extents of changed(disk)) {
    for (const extent of extents) {
      if (extent.length < STATUS_BYTES_MIN) yield* joiner.add(extent);
      else yield* planLong(extent, { disk, joiner, signal });
    }
  }
  yield* joiner.end();
}

async function* planLong(
  extent: Extent,
  { disk, joiner, signal }: { disk: PieceRequest; joiner: ReadJoiner; signal: AbortSignal },
): AsyncGenerator<PlannedRead> {
  for (const window of splitExtent(extent, STATUS_WINDOW_BYTES)) {
    signal.throwIfAborted();
    const data = await disk.source.dataExtents(window, signal);
    let at = window.offset;
    for (const part of data) {
      yield* joiner.skip({ offset: at, length: part.offset - at });
      yield* joiner.add(part);
      at = extentEnd(part);
    }
    yield* joiner.skip({ offset: at, length: extentEnd(window) - at });
  }
}

/** The extents inside the disk, those that touch each other joined. */
export function readableExtents(extents: readonly Extent[], capacityBytes: number): Extent[] {
  const disk = { offset: 0, length: capacityBytes };
  return coalesceExtents(extents, 0)
    .map((extent) => intersectExtent(extent, disk))
    .filter((extent) => extent !== null);
}

async function* changed({ source, extents }: PieceRequest): AsyncGenerator<readonly Extent[]> {
  const { capacityBytes } = source;
  if (Symbol.asyncIterator in extents) yield* joinStream(extents, capacityBytes);
  else yield readableExtents(extents, capacityBytes);
}

async function* joinStream(
  extents: AsyncIterable<Extent>,
  capacityBytes: number,
): AsyncGenerator<readonly Extent[]> {
  let open: Extent | null = null;
  for await (const extent of extents) {
    const inside = intersectExtent(extent, { offset: 0, length: capacityBytes });
    if (inside === null) continue;
    if (open !== null && inside.offset < open.offset) {
      throw new DrError('DR_INTERNAL', { reason: `changed areas are not sorted at ${extentEnd(inside)}` });
    }
    const both: Extent | null = open === null ? inside : joinExtents(open, inside, 0);
    const isLong: boolean = (both?.length ?? 0) > JOINED_BYTES_MAX;
    if (open !== null && (both === null || isLong)) yield [open];
    open = isLong ? inside : (both ?? inside);
  }
  if (open !== null) yield [open];
}

/** Holds the last read back until it is known that nothing joins it. */
class ReadJoiner {
  readonly #gapBytes: number;
  readonly #readBytes: number;
  #open: { readonly offset: number; length: number; readonly parts: Extent[] } | null = null;

  constructor(gapBytes: number, readBytes: number) {
    this.#gapBytes = gapBytes;
    this.#readBytes = readBytes;
  }

  /** Takes a part that has to be read and hands out the reads that are complete. */
  *add(extent: Extent): Generator<PlannedRead> {
    for (const part of splitExtent(extent, PART_BYTES)) {
      const open = this.#open;
      if (open !== null && this.#joins(open, part)) {
        open.length = extentEnd(part) - open.offset;
        open.parts.push(part);
      } else {
        yield* this.end();
        this.#open = { ...part, parts: [part] };
      }
    }
  }

  *skip(hole: Extent): Generator<PlannedRead> {
    if (hole.length <= 0) return;
    yield* this.end();
    yield { ...hole, isHole: true, parts: [hole] };
  }

  *end(): Generator<PlannedRead> {
    if (this.#open !== null) yield { ...this.#open, isHole: false };
    this.#open = null;
  }

  #joins(open: Extent, part: Extent): boolean {
    const blockOf = ({ offset }: Extent) => Math.floor(offset / this.#readBytes);
    const isSameBlock = blockOf(open) === blockOf(part);
    return isSameBlock && part.offset - extentEnd(open) <= this.#gapBytes;
  }
}
