/**
 * The two streams of an item. Forward, the stream is the item's own: its id names barriers, journal, points and key.
 * Each way home is a stream of its own, with ids made from the item's and its generation, so that nothing of one
 * stream can be taken for another's: not its barriers, not its keys, not its segments.
 */
import { asId, type DiskId, type ProtectedItemId } from './ids.ts';

/** Forward: from the site to Azure. Reverse: home again. */
export const directions = ['forward', 'reverse'] as const;
export type Direction = (typeof directions)[number];

/** `generation` counts the item's ways home, from 1 to 2^31 - 1. */
export function reverseStream(item: ProtectedItemId, generation: number): ProtectedItemId {
  return asId(turned(item, generation));
}

export function reverseDisk(disk: DiskId, generation: number): DiskId {
  return asId(turned(disk, generation));
}

/** Ids keep their form, because segments carry them as 16 bytes: the last four are turned by the generation. */
function turned(id: string, generation: number): string {
  const last = Number.parseInt(id.slice(-8), 16);
  const mixed = (last ^ (0x8000_0000 | generation)) >>> 0;
  return id.slice(0, -8) + mixed.toString(16).padStart(8, '0');
}
