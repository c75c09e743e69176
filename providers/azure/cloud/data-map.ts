/** Which ranges of a snapshot hold data: looked up window by window, the last ones kept. */
import { coalesceExtents, extentEnd, intersectExtent, splitExtent } from '../../../domain/extents.ts';
import type { Extent } from '../../../domain/replication.ts';
import { GiB, KiB } from '../../../domain/units.ts';
import { unlessAborted } from '../deadline.ts';

export interface DataMap {
  /** Sorted and not overlapping; gaps of up to 64 KiB count as data. */
  within(range: Extent, signal: AbortSignal): Promise<Extent[]>;
}

/** 4 windows of 4 GiB hold at most 260,000 extents. */
const WINDOW_BYTES = 4 * GiB;
const WINDOWS_MAX = 4;
const GAP_BYTES = 64 * KiB;

export function createDataMap(
  capacityBytes: number,
  list: (window: Extent) => AsyncIterable<readonly Extent[]>,
): DataMap {
  /** By offset of the window; the least recently used first. */
  const windows = new Map<number, Promise<Extent[]>>();

  async function look(window: Extent): Promise<Extent[]> {
    let found: Extent[] = [];
    for await (const extents of list(window)) found = coalesceExtents([...found, ...extents], GAP_BYTES);
    return found;
  }
  function dataOf(offset: number): Promise<Extent[]> {
    const known = windows.get(offset);
    windows.delete(offset);
    const data = known ?? look({ offset, length: Math.min(WINDOW_BYTES, capacityBytes - offset) });
    windows.set(offset, data);
    if (known !== undefined) return data;
    data.catch(() => windows.get(offset) === data && windows.delete(offset));
    const [oldest] = windows.keys();
    if (windows.size > WINDOWS_MAX && oldest !== undefined) windows.delete(oldest);
    return data;
  }
  return {
    async within(range, signal) {
      const parts: Extent[] = [];
      for (const piece of splitExtent(range, WINDOW_BYTES)) {
        const offset = Math.floor(piece.offset / WINDOW_BYTES) * WINDOW_BYTES;
        const data = await unlessAborted(dataOf(offset), signal);
        parts.push(...clipped(data, piece));
      }
      return coalesceExtents(parts, 0);
    },
  };
}

/** By halving: a window may hold tens of thousands of extents, and it is asked for every few MiB. */
function clipped(extents: readonly Extent[], range: Extent): Extent[] {
  let [low, high] = [0, extents.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    const extent = extents[middle];
    if (extent !== undefined && extentEnd(extent) <= range.offset) low = middle + 1;
    else high = middle;
  }
  const parts: Extent[] = [];
  for (let index = low; index < extents.length; index += 1) {
    const extent = extents[index];
    const part = extent === undefined ? null : intersectExtent(extent, range);
    if (part === null) break;
    parts.push(part);
  }
  return parts;
}
