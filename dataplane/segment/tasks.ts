/** What threads do with segments. Memory is passed by reference, see `threads/slabs.ts`. */
import { digestBlocks } from '../compare/block-digest.ts';
import { letGo } from '../threads/let-go.ts';
import { openUnit } from './open-unit.ts';
import type { UnitOpening } from './open-unit.ts';
import { packUnit } from './pack-unit.ts';
import type { PackedUnit, Packing } from './pack-unit.ts';
import { sealSegment } from './seal-segment.ts';
import type { Sealing, SealedSegment } from './seal-segment.ts';
import { hashWhole } from './structure.ts';
import type { WholeHashes } from './structure.ts';

/** A segment, or a piece of a disk, in a slab. */
interface StoredBody {
  readonly body: SharedArrayBuffer;
  readonly bytes: number;
}

export const tasks = {
  packUnit: (input: Packing): PackedUnit => packUnit(input),
  sealSegment: (input: Sealing): SealedSegment => sealSegment(input),
  hashWhole: ({ body, bytes }: StoredBody): WholeHashes => hashWhole(Buffer.from(body, 0, bytes)),
  /** Leaves the payload at the beginning of `into`; null, or why it must not be used. */
  openUnit: ({
    body,
    bytes,
    into,
    ...opening
  }: StoredBody & UnitOpening & { readonly into: SharedArrayBuffer }): string | null => {
    const opened = openUnit(Buffer.from(body, 0, bytes), opening);
    if ('fault' in opened) return opened.fault;
    Buffer.from(into).set(opened.payload);
    letGo(opened.payload);
    return null;
  },
  digestBlocks: ({
    body,
    bytes,
    blockBytes,
    key,
  }: StoredBody & { readonly blockBytes: number; readonly key: Uint8Array }): Uint8Array =>
    digestBlocks(Buffer.from(body, 0, bytes), blockBytes, key),
};

export type Tasks = typeof tasks;
export type TaskName = keyof Tasks;
