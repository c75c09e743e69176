/** Requests in the sizes a server takes: whole blocks, and not too much at once. */
import { extentEnd, splitExtent } from '../../domain/extents.ts';
import type { Extent } from '../../domain/replication.ts';
import { roundUp } from '../../domain/units.ts';
import { mapBounded } from '../budget.ts';
import type { NbdClient } from './nbd-client.ts';

const PARTS_AT_ONCE = 4;

/** Fills `into`; reads whole blocks around it where it does not begin and end with one. */
export async function readInBlocks(
  client: NbdClient,
  offset: number,
  into: Uint8Array,
  signal: AbortSignal,
): Promise<void> {
  const wanted = { offset, length: into.length };
  const whole = wholeBlocks(wanted, client.blockBytesMin);
  const target = whole.length === into.length ? into : new Uint8Array(whole.length);
  const parts = [...splitExtent(whole, client.payloadBytesMax)];
  await mapBounded(parts, PARTS_AT_ONCE, (part) => {
    const at = part.offset - whole.offset;
    return client.read(part.offset, target.subarray(at, at + part.length), signal);
  });
  const at = offset - whole.offset;
  if (target !== into) into.set(target.subarray(at, at + into.length));
}

/** The blocks that the range touches. */
export function wholeBlocks(range: Extent, blockBytes: number): Extent {
  const offset = range.offset - (range.offset % blockBytes);
  return { offset, length: roundUp(extentEnd(range), blockBytes) - offset };
}

/** The blocks that lie in the range, and what of it lies in blocks that reach out of it. */
export function cutAtBlocks(
  range: Extent,
  blockBytes: number,
): { readonly body: Extent | null; readonly edges: readonly Extent[] } {
  const end = extentEnd(range);
  const bodyStart = roundUp(range.offset, blockBytes);
  const bodyEnd = end - (end % blockBytes);
  if (bodyStart >= bodyEnd) {
    return { body: null, edges: [...splitExtent(range, blockBytes)] };
  }
  const head = { offset: range.offset, length: bodyStart - range.offset };
  const tail = { offset: bodyEnd, length: end - bodyEnd };
  return {
    body: { offset: bodyStart, length: bodyEnd - bodyStart },
    edges: [head, tail].filter(({ length }) => length > 0),
  };
}
