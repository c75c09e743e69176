/**
 * Which blocks of a disk a stretch of time is for. Every pass goes over all blocks once, in a random order that only
 * the item's key tells; where a pass stands is a function of the clock, so that nothing has to be remembered: not by
 * a process that is killed, nor by the one that goes on.
 */
import { createHmac } from 'node:crypto';
import { KiB, MiB } from '../../domain/units.ts';

const BLOCK_BYTES = { min: 64 * KiB, max: MiB } as const;
/** Small disks are looked at in many places, large ones with few requests. */
const BLOCKS_WANTED = 256 * 1024;
const DAY_MS = 24 * 3_600_000;
const ROUNDS = 4;

export interface BlockChoice {
  readonly pass: number;
  /** In random order. */
  readonly blocks: readonly number[];
}

/** 64 KiB up to 16 GiB, 1 MiB from 256 GiB on. */
export function scrubBlockBytes(capacityBytes: number): number {
  const { min, max } = BLOCK_BYTES;
  let blockBytes: number = min;
  while (blockBytes < max && capacityBytes / blockBytes > BLOCKS_WANTED) blockBytes *= 2;
  return blockBytes;
}

/** Blocks that are due after `fromMs` until `toMs`; of a stretch too long for `blocksMax` only the end. */
export function dueBlocks(
  key: Buffer,
  blockCount: number,
  due: {
    readonly fromMs: number;
    readonly toMs: number;
    readonly percentPerDay: number;
    readonly blocksMax: number;
  },
): BlockChoice {
  const blocksPerMs = (blockCount * due.percentPerDay) / 100 / DAY_MS;
  const to = Math.floor(due.toMs * blocksPerMs);
  const pass = Math.floor(to / blockCount);
  const from = Math.floor(Math.max(0, due.fromMs) * blocksPerMs);
  const count = Math.max(0, Math.min(to - from, blockCount, due.blocksMax));
  // All at once is one pass, not the ends of two.
  const end = count === blockCount ? (pass + 1) * blockCount : to;
  const blocks: number[] = [];
  let order = orderOf(key, Math.floor((end - count) / blockCount), blockCount);
  for (let position = end - count; position < end; position += 1) {
    const inPass = Math.floor(position / blockCount);
    if (inPass !== order.pass) order = orderOf(key, inPass, blockCount);
    blocks.push(order.blockAt(position % blockCount));
  }
  return { pass, blocks: [...new Set(blocks)] };
}

/** A permutation of the blocks: a Feistel network over the next power of four, walked until it is inside. */
function orderOf(key: Buffer, pass: number, blockCount: number) {
  const seeds = createHmac('sha256', key).update(`pass ${pass}`).digest();
  const halfBits = Math.max(1, Math.ceil(Math.log2(blockCount) / 2));
  const mask = 2 ** halfBits - 1;
  const shuffled = (value: number) => {
    let left = Math.floor(value / (mask + 1));
    let right = value & mask;
    for (let round = 0; round < ROUNDS; round += 1) {
      [left, right] = [right, left ^ (mixed(right, seeds.readUInt32LE(round * 4)) & mask)];
    }
    return left * (mask + 1) + right;
  };
  return {
    pass,
    blockAt(position: number): number {
      let block = shuffled(position);
      while (block >= blockCount) block = shuffled(block);
      return block;
    },
  };
}

/** A 32-bit finaliser (MurmurHash3). */
function mixed(value: number, seed: number): number {
  let bits = value ^ seed;
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
}
