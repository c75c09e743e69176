import { KiB } from '../../domain/units.ts';

/** Shorter runs of zeros cost less inside compressed data than as records of their own. */
const GRAIN_BYTES = 64 * KiB;
const ZEROS = Buffer.alloc(GRAIN_BYTES);

export interface Run {
  readonly isZero: boolean;
  /** Position in the piece. */
  readonly start: number;
  readonly length: number;
}

/** Cuts a piece that begins at disk offset `offset` into runs of zeros and of data, on 64 KiB boundaries of the disk. */
export function* zeroRuns(offset: number, data: Buffer): Generator<Run> {
  let run = null as { readonly isZero: boolean; readonly start: number; length: number } | null;
  for (let start = 0; start < data.length;) {
    const length = Math.min(GRAIN_BYTES - ((offset + start) % GRAIN_BYTES), data.length - start);
    const isZero = data.compare(ZEROS, 0, length, start, start + length) === 0;
    if (run?.isZero === isZero) {
      run.length += length;
    } else {
      if (run !== null) yield run;
      run = { isZero, start, length };
    }
    start += length;
  }
  if (run !== null) yield run;
}
