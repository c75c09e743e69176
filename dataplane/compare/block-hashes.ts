/** Two disks that cannot see each other are compared by the hashes of their blocks. */
import { coalesceExtents, extentEnd, intersectExtent, joinExtents } from '../../domain/extents.ts';
import type { DiskSource, OnProgress } from '../../domain/ports.ts';
import type { Extent } from '../../domain/replication.ts';
import { KiB, MiB, roundUp } from '../../domain/units.ts';
import type { PieceRequest } from '../ship/pieces.ts';
import type { Piece } from '../ship/pieces.ts';
import { readPieces } from '../ship/pieces.ts';
import { sharedMemory, unitSlabs } from '../threads/slabs.ts';
import { segmentThreads } from '../threads/thread-pool.ts';
import { DIGEST_BYTES, digestBlocks, digestKey } from './block-digest.ts';

/** Small blocks let little travel that did not change; large ones keep the hashes of a disk small. */
const COMPARE_BLOCK_BYTES = { min: 4 * KiB, max: 64 * KiB } as const;
const HASHES_BYTES_WANTED = 64 * MiB;
const BLOCK_BYTES_MAX = MiB;
/** A longer run of differing blocks comes in parts, so that they are shipped while the comparison goes on. */
const EXTENT_BYTES_MAX = 64 * MiB;
const PIECES_AT_ONCE = 4;

export interface BlockHashes {
  readonly blockBytes: number;
  /** Bytes that were hashed; the last block ends with them. */
  readonly capacityBytes: number;
  /** 16 bytes for each block. */
  readonly digests: Uint8Array;
}

export interface CompareOptions {
  /** `ItemKey.compareKey` of the disk: hashes under another key differ everywhere. */
  readonly key: Uint8Array;
  readonly signal: AbortSignal;
  readonly onProgress: OnProgress;
}

/**
 * Block to compare a disk by: 4 KiB up to 16 GiB (a file system's own block, so that nothing travels beside what
 * changed), twice that for each doubling, 64 KiB from 256 GiB on. There a file of 256 KiB that lies anywhere touches
 * five blocks, at most 1.25 times what changed travels, and hashes of 16 bytes add up to 256 MiB for a TiB.
 */
export function compareBlockBytes(capacityBytes: number): number {
  const { min, max } = COMPARE_BLOCK_BYTES;
  let blockBytes: number = min;
  while (blockBytes < max && (capacityBytes / blockBytes) * DIGEST_BYTES > HASHES_BYTES_WANTED)
    blockBytes *= 2;
  return blockBytes;
}

export function blockCount(geometry: Pick<BlockHashes, 'blockBytes' | 'capacityBytes'>): number {
  return Math.ceil(geometry.capacityBytes / geometry.blockBytes);
}

/**
 * Hashes the first `capacityBytes` of the source. Holes are not read. `blockBytes` is a power of two of 512 bytes to
 * 1 MiB. Memory: the hashes, what the source reads at once, and 4 MiB for the threads.
 */
export async function hashBlocks(
  source: DiskSource,
  options: CompareOptions & { readonly blockBytes: number; readonly capacityBytes: number },
): Promise<BlockHashes> {
  const { blockBytes, capacityBytes } = options;
  const digests = Buffer.alloc(blockCount(options) * DIGEST_BYTES);
  for await (const run of digestRuns(source, options, options)) {
    run.digests.copy(digests, run.firstBlock * DIGEST_BYTES);
  }
  return { blockBytes, capacityBytes, digests };
}

/** Blocks of the source that differ from what was hashed: sorted, neighbours joined. Memory as for `hashBlocks`. */
export async function* differingExtents(
  source: DiskSource,
  hashes: BlockHashes,
  options: CompareOptions,
): AsyncGenerator<Extent> {
  const { blockBytes, capacityBytes } = hashes;
  const known = Buffer.from(hashes.digests.buffer, hashes.digests.byteOffset, hashes.digests.byteLength);
  const disk = { offset: 0, length: capacityBytes };
  let open: Extent | null = null;
  for await (const { firstBlock, digests } of digestRuns(source, hashes, options)) {
    for (const index of differingDigests(digests, known, firstBlock * DIGEST_BYTES)) {
      const block = intersectExtent({ offset: (firstBlock + index) * blockBytes, length: blockBytes }, disk);
      if (block === null) continue;
      const both: Extent | null = open === null ? block : joinExtents(open, block, 0);
      if (both !== null && both.length <= EXTENT_BYTES_MAX) {
        open = both;
        continue;
      }
      if (open !== null) yield open;
      open = block;
    }
  }
  if (open !== null) yield open;
}

function* differingDigests(digests: Buffer, known: Buffer, knownAt: number): Generator<number> {
  if (known.compare(digests, 0, digests.length, knownAt, knownAt + digests.length) === 0) return;
  for (let at = 0; at < digests.length; at += DIGEST_BYTES) {
    const other = knownAt + at;
    if (known.compare(digests, at, at + DIGEST_BYTES, other, other + DIGEST_BYTES) !== 0) {
      yield at / DIGEST_BYTES;
    }
  }
}

interface DigestRun {
  readonly firstBlock: number;
  readonly digests: Buffer;
}

/** In order; up to `PIECES_AT_ONCE` pieces are hashed in threads while further ones are read. */
async function* digestRuns(
  source: DiskSource,
  geometry: Pick<BlockHashes, 'blockBytes' | 'capacityBytes'>,
  { signal, onProgress, key }: CompareOptions,
): AsyncGenerator<DigestRun> {
  const { blockBytes, capacityBytes } = geometry;
  checkGeometry(source, geometry);
  const hasher = createHasher(blockBytes, digestKey(key));
  const request = {
    source: wholeBlocks(source, geometry),
    extents: [{ offset: 0, length: capacityBytes }],
  };
  const ahead: { readonly offset: number; readonly end: number; readonly digests: Promise<Buffer> }[] = [];
  async function* first(): AsyncGenerator<DigestRun> {
    const run = ahead[0];
    if (run === undefined) return;
    yield { firstBlock: run.offset / blockBytes, digests: await run.digests };
    ahead.shift();
    onProgress(Math.floor((100 * run.end) / capacityBytes));
  }
  try {
    for await (const piece of readPieces(request, signal)) {
      if (ahead.length >= PIECES_AT_ONCE) yield* first();
      const slab = piece.data === null ? null : await unitSlabs.take(signal);
      const digests = hasher(piece, slab);
      // A failure is met when its turn comes.
      digests.catch(() => undefined);
      ahead.push({ offset: piece.offset, end: extentEnd(piece), digests });
    }
    while (ahead.length > 0) yield* first();
  } finally {
    await Promise.allSettled(ahead.map(({ digests }) => digests));
  }
}

/** Copies the piece into the slab before it answers: its bytes are hashed in a thread. Gives the slab back. */
function createHasher(
  blockBytes: number,
  key: Uint8Array,
): (piece: Piece, slab: Buffer | null) => Promise<Buffer> {
  const zeros = Buffer.alloc(blockBytes);
  const hole = digestBlocks(zeros, blockBytes, key);
  return async ({ length, data }, slab) => {
    if (data === null || slab === null) {
      const digests = Buffer.alloc(Math.ceil(length / blockBytes) * DIGEST_BYTES, hole);
      const rest = zeros.subarray(0, length % blockBytes);
      digestBlocks(rest, blockBytes, key).copy(digests, digests.length - DIGEST_BYTES);
      return digests;
    }
    try {
      slab.set(data);
      const input = { body: sharedMemory(slab), bytes: length, blockBytes, key };
      return Buffer.from(await segmentThreads.run('digestBlocks', input));
    } finally {
      unitSlabs.give(slab);
    }
  };
}

/** The source with its data extents widened to whole blocks. */
function wholeBlocks(
  source: DiskSource,
  { blockBytes, capacityBytes }: Pick<BlockHashes, 'blockBytes' | 'capacityBytes'>,
): PieceRequest['source'] {
  return {
    capacityBytes,
    readBytes: source.readBytes,
    readsAtOnce: source.readsAtOnce,
    read: (offset, into, signal) => source.read(offset, into, signal),
    async dataExtents(range, signal) {
      const widened = (await source.dataExtents(range, signal)).map((extent) => {
        const offset = Math.floor(extent.offset / blockBytes) * blockBytes;
        return { offset, length: roundUp(extentEnd(extent), blockBytes) - offset };
      });
      return coalesceExtents(widened, 0)
        .map((extent) => intersectExtent(extent, range))
        .filter((extent) => extent !== null);
    },
  };
}

function checkGeometry(
  source: DiskSource,
  { blockBytes, capacityBytes }: Pick<BlockHashes, 'blockBytes' | 'capacityBytes'>,
): void {
  const isBlock =
    blockBytes >= 512 && blockBytes <= BLOCK_BYTES_MAX && Number.isInteger(Math.log2(blockBytes));
  if (isBlock && capacityBytes > 0 && capacityBytes <= source.capacityBytes) return;
  throw new RangeError(`${capacityBytes} bytes of ${source.capacityBytes} in blocks of ${blockBytes}`);
}
