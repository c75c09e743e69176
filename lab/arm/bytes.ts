import { createHash } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { open, readdir, rename, rm } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { MiB } from '../../domain/units.ts';
import { BLOCK, BLOCK_BYTES, changedRuns, CHUNK_BLOCKS } from './block-map.ts';
import type { Run } from './block-map.ts';
import { Layer, layerPaths, logOf } from './layer.ts';
import type { Range } from './range.ts';
import { writeDurably } from './store.ts';

const PIECE_BYTES = 4 * MiB;
const PIECES_AT_ONCE = 4;
const READ_BYTES = MiB;

export interface Source {
  /** What holds data. */
  readonly ranges: readonly Range[];
  /** What is read: covers `ranges`. */
  readonly pieces: readonly Range[];
  readonly read: (range: Range) => Promise<Uint8Array>;
}

/**
 * Bytes of managed disks and snapshots without VHD footer. A disk is a chain of layers, oldest first: each holds the
 * blocks written since the one before was frozen. A snapshot is the chain as it was, so it costs nothing, and what
 * changed between two snapshots is what the later one's further layers hold.
 */
export class ByteStore {
  readonly #dir: string;
  readonly #layers = new Map<string, Layer>();

  constructor(stateDir: string) {
    this.#dir = join(stateDir, 'bytes');
    mkdirSync(this.#dir, { recursive: true });
  }

  /** Makes a layer, there only when it is whole. Repeating it after a crash starts the copy again. */
  async fill(id: string, bytes: number, source: Source, signal: AbortSignal): Promise<void> {
    const paths = layerPaths(this.#dir, id);
    const partial = `${paths.bytes}.partial`;
    const file = await open(partial, 'w', 0o600);
    try {
      await file.truncate(bytes);
      await copyPieces(file, source, signal);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(partial, paths.bytes);
    writeDurably(paths.log, logOf(source.ranges));
  }

  /** A write into the last layer; blocks written in part keep the rest of what the chain holds. */
  write(chain: readonly string[], offset: number, bytes: Uint8Array): void {
    const start = Math.floor(offset / BLOCK_BYTES) * BLOCK_BYTES;
    const end = Math.ceil((offset + bytes.length) / BLOCK_BYTES) * BLOCK_BYTES;
    const isWhole = start === offset && end === offset + bytes.length;
    const blocks = isWhole ? bytes : this.readInto(chain, start, Buffer.alloc(end - start));
    if (!isWhole) blocks.set(bytes, offset - start);
    this.#last(chain).write(start / BLOCK_BYTES, blocks);
  }

  /** Gives the whole blocks inside the range back: they read as zeros. */
  clear(chain: readonly string[], range: Range): void {
    const first = Math.ceil(range.start / BLOCK_BYTES);
    const count = Math.floor(range.end / BLOCK_BYTES) - first;
    if (count > 0) this.#last(chain).clear(first, count);
  }

  readInto(chain: readonly string[], offset: number, target: Buffer): Buffer {
    const layers = chain.map((id) => this.#layer(id));
    const end = offset + target.length;
    const chunkBytes = CHUNK_BLOCKS * BLOCK_BYTES;
    for (let chunk = Math.floor(offset / chunkBytes); chunk * chunkBytes < end; chunk++) {
      const inside = {
        start: Math.max(offset, chunk * chunkBytes),
        end: Math.min(end, (chunk + 1) * chunkBytes),
      };
      for (const [owner, run] of ownersIn(layers, chunk, inside)) {
        const part = target.subarray(run.start - offset, run.end - offset);
        if (owner === null) part.fill(0);
        else owner.read(part, run.start);
      }
    }
    return target;
  }

  async *read(chain: readonly string[], range: Range): AsyncGenerator<Buffer> {
    for (let at = range.start; at < range.end; at += READ_BYTES) {
      yield this.readInto(chain, at, Buffer.alloc(Math.min(READ_BYTES, range.end - at)));
      await setImmediate();
    }
  }

  /** What changed since the chain was `since` layers long; 0: what holds data. */
  runs(chain: readonly string[], since: number, range: Range): Generator<Run> {
    const maps = chain.map((id) => this.#layer(id).map);
    return changedRuns(maps, since, range);
  }

  /** Bytes written into these layers, each write counted. */
  bytesWritten(layers: readonly string[]): number {
    return layers.reduce((sum, id) => sum + this.#layer(id).bytesWritten, 0);
  }

  /** SHA-256 of the whole and, when asked, of each block of `blockBytes`. Holes are hashed, not read. */
  async hash(
    chain: readonly string[],
    bytes: number,
    blockBytes: number | null,
  ): Promise<{ sha256: string; blocks: string[] }> {
    const step = blockBytes ?? PIECE_BYTES;
    const whole = createHash('sha256');
    const blocks: string[] = [];
    const zeros = Buffer.alloc(step);
    const zerosHash = sha256(zeros);
    const buffer = Buffer.alloc(step);
    const runs = this.runs(chain, 0, { start: 0, end: bytes });
    let run = runs.next();
    for (let at = 0; at < bytes; at += step) {
      const length = Math.min(step, bytes - at);
      while (run.done !== true && run.value.end <= at) run = runs.next();
      const isHole = run.done === true || run.value.start >= at + length;
      const block = isHole ? zeros.subarray(0, length) : this.readInto(chain, at, buffer.subarray(0, length));
      whole.update(block);
      if (blockBytes !== null) blocks.push(isHole && length === step ? zerosHash : sha256(block));
      if (at % PIECE_BYTES < step) await setImmediate();
    }
    return { sha256: whole.digest('hex'), blocks };
  }

  /** `inUse` is asked after the files were listed, so that a copy begun meanwhile keeps its own. */
  async keepOnly(inUse: () => ReadonlySet<string>): Promise<void> {
    const names = await readdir(this.#dir);
    const ids = inUse();
    const left = names.filter((name) => !ids.has(name.split('.')[0] ?? name));
    for (const id of new Set(left.map((name) => name.split('.')[0] ?? name))) {
      this.#layers.get(id)?.close();
      this.#layers.delete(id);
    }
    for (const name of left) await rm(join(this.#dir, name), { force: true });
  }

  close(): void {
    for (const layer of this.#layers.values()) layer.close();
    this.#layers.clear();
  }

  #last(chain: readonly string[]): Layer {
    const id = chain.at(-1);
    if (id === undefined) throw new Error('a disk without a layer cannot be written');
    return this.#layer(id);
  }

  #layer(id: string): Layer {
    const layer = this.#layers.get(id) ?? new Layer(this.#dir, id);
    this.#layers.set(id, layer);
    return layer;
  }
}

/** Who holds the bytes of one chunk, a run of blocks at a time: a layer, or null for none. */
function* ownersIn(layers: readonly Layer[], chunk: number, range: Range): Generator<[Layer | null, Range]> {
  const newestFirst = layers.flatMap((layer) => {
    const states = layer.map.chunk(chunk);
    return states === undefined ? [] : [{ layer, states }];
  });
  newestFirst.reverse();
  const ownerOf = (block: number): Layer | null => {
    const found = newestFirst.find(({ states }) => states[block % CHUNK_BLOCKS] !== BLOCK.absent);
    return found?.states[block % CHUNK_BLOCKS] === BLOCK.data ? found.layer : null;
  };
  for (let start = range.start; start < range.end;) {
    let block = Math.floor(start / BLOCK_BYTES);
    const owner = ownerOf(block++);
    while (block * BLOCK_BYTES < range.end && ownerOf(block) === owner) block++;
    const end = Math.min(range.end, block * BLOCK_BYTES);
    yield [owner, { start, end }];
    start = end;
  }
}

async function copyPieces(file: FileHandle, { pieces, read }: Source, signal: AbortSignal): Promise<void> {
  const cuts = pieces.flatMap(cut);
  let next = 0;
  const work = async (): Promise<void> => {
    for (let piece = cuts[next++]; piece !== undefined; piece = cuts[next++]) {
      signal.throwIfAborted();
      const bytes = await read(piece);
      await file.write(bytes, 0, bytes.length, piece.start);
    }
  };
  const workers = await Promise.allSettled(Array.from({ length: PIECES_AT_ONCE }, work));
  const failed = workers.find((worker) => worker.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function cut(range: Range): Range[] {
  const count = Math.ceil((range.end - range.start) / PIECE_BYTES);
  return Array.from({ length: count }, (_, index) => ({
    start: range.start + index * PIECE_BYTES,
    end: Math.min(range.end, range.start + (index + 1) * PIECE_BYTES),
  }));
}
