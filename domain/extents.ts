/** Arithmetic of extents: runs of bytes of a disk. Lists are sorted by offset and do not overlap. */
import type { Extent } from './replication.ts';

export function extentEnd(extent: Extent): number {
  return extent.offset + extent.length;
}

export function totalBytes(extents: readonly Extent[]): number {
  return extents.reduce((sum, extent) => sum + extent.length, 0);
}

/** The part of `extent` inside `range`; null when they do not meet. */
export function intersectExtent(extent: Extent, range: Extent): Extent | null {
  const offset = Math.max(extent.offset, range.offset);
  const end = Math.min(extentEnd(extent), extentEnd(range));
  return offset < end ? { offset, length: end - offset } : null;
}

/** What of `extents` lies from `offset` on. */
export function extentsFrom(extents: readonly Extent[], offset: number): Extent[] {
  const rest = { offset, length: Number.MAX_SAFE_INTEGER - offset };
  return extents.map((extent) => intersectExtent(extent, rest)).filter((extent) => extent !== null);
}

/** The smallest extent that holds both, when at most `gapBytes` lie between them; null otherwise. `b` does not begin before `a`. */
export function joinExtents(a: Extent, b: Extent, gapBytes: number): Extent | null {
  if (b.offset - extentEnd(a) > gapBytes) return null;
  return { offset: a.offset, length: Math.max(extentEnd(a), extentEnd(b)) - a.offset };
}

/** Joins neighbours with at most `gapBytes` between them. Takes any order and overlaps. */
export function coalesceExtents(extents: readonly Extent[], gapBytes: number): Extent[] {
  const joined: Extent[] = [];
  for (const extent of extents.toSorted((a, b) => a.offset - b.offset)) {
    const last = joined.at(-1);
    const both = last === undefined ? null : joinExtents(last, extent, gapBytes);
    if (both === null) joined.push(extent);
    else joined[joined.length - 1] = both;
  }
  return joined;
}

/** What of `range` none of `extents` covers. */
export function subtractExtents(range: Extent, extents: readonly Extent[]): Extent[] {
  const left: Extent[] = [];
  let at = range.offset;
  for (const extent of extents) {
    const covered = intersectExtent(extent, range);
    if (covered === null) continue;
    if (covered.offset > at) left.push({ offset: at, length: covered.offset - at });
    at = Math.max(at, extentEnd(covered));
  }
  if (at < extentEnd(range)) left.push({ offset: at, length: extentEnd(range) - at });
  return left;
}

/** Cuts at every multiple of `stepBytes`. */
export function* splitExtent(extent: Extent, stepBytes: number): Generator<Extent> {
  let at = extent.offset;
  while (at < extentEnd(extent)) {
    const end = Math.min(extentEnd(extent), (Math.floor(at / stepBytes) + 1) * stepBytes);
    yield { offset: at, length: end - at };
    at = end;
  }
}
