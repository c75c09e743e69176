/** Keyed hashes of single blocks, read a few at a time into buffers that are used again. */
import { createHmac } from 'node:crypto';
import type { DiskSource } from '../../domain/ports.ts';
import { mapBounded } from '../budget.ts';

const HASH_HEX = 32;
const READS_AT_ONCE = 4;

/** The place is part of the hash: equal blocks in different places have different hashes. 16 bytes, hexadecimal. */
export function blockHash(key: Buffer, offset: number, data: Uint8Array): string {
  const place = Buffer.alloc(8);
  place.writeBigUInt64LE(BigInt(offset));
  return createHmac('sha256', key).update(place).update(data).digest('hex').slice(0, HASH_HEX);
}

/** Bytes of block `block`: the last one ends with the disk. */
export function blockLength(block: number, blockBytes: number, capacityBytes: number): number {
  return Math.min(blockBytes, capacityBytes - block * blockBytes);
}

export interface BlockReads {
  readonly source: DiskSource;
  readonly key: Buffer;
  readonly blockBytes: number;
  readonly blocks: readonly number[];
  /** Asked before each block; true ends the reading early. */
  isOver(): boolean;
  readonly signal: AbortSignal;
}

/** Block and hash, in the order of `blocks`, as many as there was time for. Memory: four blocks. */
export async function hashBlocksOf(reads: BlockReads): Promise<(readonly [number, string])[]> {
  const { source, key, blockBytes, signal } = reads;
  const buffers: Buffer[] = [];
  const hashed = await mapBounded(reads.blocks, READS_AT_ONCE, async (block) => {
    signal.throwIfAborted();
    if (reads.isOver()) return null;
    const buffer = buffers.pop() ?? Buffer.allocUnsafeSlow(blockBytes);
    const offset = block * blockBytes;
    const data = buffer.subarray(0, blockLength(block, blockBytes, source.capacityBytes));
    await source.read(offset, data, signal);
    const hash = blockHash(key, offset, data);
    buffers.push(buffer);
    return [block, hash] as const;
  });
  return hashed.filter((each) => each !== null);
}
