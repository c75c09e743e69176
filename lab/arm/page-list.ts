import type { Run } from './block-map.ts';
import type { Range } from './range.ts';

export interface Page {
  readonly runs: readonly Run[];
  /** Where the next page begins; null: this was the last. */
  readonly next: number | null;
}

/** The first `limit` runs. */
export function firstRuns(runs: Iterable<Run>, limit: number): Page {
  const taken: Run[] = [];
  for (const run of runs) {
    if (taken.length === limit) return { runs: taken, next: run.start };
    taken.push(run);
  }
  return { runs: taken, next: null };
}

/** Runs, then one more of data; joined where they touch. */
export function* withFooter(runs: Iterable<Run>, footer: Range): Generator<Run> {
  let last: Run | null = null;
  for (const run of runs) {
    if (last !== null) yield last;
    last = run;
  }
  const touches = last !== null && last.end === footer.start && !last.isClear;
  if (last !== null && !touches) yield last;
  yield { start: last !== null && touches ? last.start : footer.start, end: footer.end, isClear: false };
}

/** The body of Get Page Ranges; ends are inclusive. */
export function pageListXml({ runs, next }: Page): string {
  const elements = runs.map(({ start, end, isClear }) => {
    const name = isClear ? 'ClearRange' : 'PageRange';
    return `<${name}><Start>${start}</Start><End>${end - 1}</End></${name}>`;
  });
  const marker = next === null ? '' : `<NextMarker>${markerOf(next)}</NextMarker>`;
  return `<?xml version="1.0" encoding="utf-8"?><PageList>${elements.join('')}${marker}</PageList>`;
}

function markerOf(offset: number): string {
  return Buffer.from(`from!${offset}`).toString('base64url');
}

/** Null: not a marker of ours. */
export function offsetOf(marker: string): number | null {
  const [, digits] = /^from!(\d+)$/.exec(Buffer.from(marker, 'base64url').toString()) ?? [];
  return digits === undefined ? null : Number(digits);
}
