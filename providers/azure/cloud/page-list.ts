/** The answer of Get Page Ranges (learn.microsoft.com/rest/api/storageservices/get-page-ranges). */
import { coalesceExtents } from '../../../domain/extents.ts';
import type { Extent } from '../../../domain/replication.ts';

export interface PageList {
  /** Ranges that hold data and ranges that were cleared, sorted and joined where they touch. */
  readonly extents: readonly Extent[];
  /** Asks for the rest; null: this was all. */
  readonly marker: string | null;
}

const RANGE =
  /<(PageRange|ClearRange)>\s*<Start>(\d+)<\/Start>\s*<End>(\d+)<\/End>\s*<\/\1>|<NextMarker>([^<]*)<\/NextMarker>|<NextMarker\s*\/>/g;
/** A range left out would be a change that is never copied: nothing but the list may be around the ranges. */
const FRAME =
  /^\uFEFF?\s*(<\?xml[^>]*\?>)?\s*<PageList(\s+[^>]*)?>\s*<\/PageList>\s*$|^\uFEFF?\s*(<\?xml[^>]*\?>)?\s*<PageList\s*\/>\s*$/;

/** Null: the text is not a whole list. */
export function parsePageList(text: string): PageList | null {
  const extents: Extent[] = [];
  let marker: string | null = null;
  let isSound = true;
  const frame = text.replaceAll(
    RANGE,
    (_whole, kind?: string, start?: string, end?: string, next?: string) => {
      if (kind === undefined) {
        if (next !== undefined && next !== '') marker = next;
        return '';
      }
      const offset = Number(start);
      // Ends are inclusive.
      const length = Number(end) + 1 - offset;
      if (length <= 0 || !Number.isSafeInteger(offset + length)) isSound = false;
      extents.push({ offset, length });
      return '';
    },
  );
  if (!isSound || !FRAME.test(frame)) return null;
  return { extents: coalesceExtents(extents, 0), marker };
}
