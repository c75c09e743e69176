import { closeSync, existsSync, ftruncateSync, openSync, readFileSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { BLOCK, BLOCK_BYTES, BlockMap } from './block-map.ts';
import type { BlockState } from './block-map.ts';
import type { Range } from './range.ts';

/** First block, number of blocks, state: u32 each, little endian; enough for disks of 16 TiB. */
const RECORD_BYTES = 12;

/**
 * The blocks written between two moments of a disk: a sparse file with every block at its own place, and beside it
 * a log of what was written. Bytes go to the file before the log: what a killed process had not logged was not written.
 */
export class Layer {
  readonly map = new BlockMap();
  readonly #paths: LayerPaths;
  #file: number | null = null;
  #log: number | null = null;
  #bytesWritten = 0;

  constructor(dir: string, id: string) {
    this.#paths = layerPaths(dir, id);
    if (!existsSync(this.#paths.log)) return;
    const records = readFileSync(this.#paths.log);
    for (let at = 0; at + RECORD_BYTES <= records.length; at += RECORD_BYTES) {
      this.#note(
        records.readUInt32LE(at),
        records.readUInt32LE(at + 4),
        records.readUInt32LE(at + 8) as BlockState,
      );
    }
  }

  /** Every write counted, also one over another. */
  get bytesWritten(): number {
    return this.#bytesWritten;
  }

  /** `bytes` cover whole blocks. */
  write(firstBlock: number, bytes: Uint8Array): void {
    writeSync(this.#open(), bytes, 0, bytes.length, firstBlock * BLOCK_BYTES);
    this.#append(firstBlock, bytes.length / BLOCK_BYTES, BLOCK.data);
  }

  clear(firstBlock: number, count: number): void {
    this.#append(firstBlock, count, BLOCK.cleared);
  }

  read(target: Uint8Array, offset: number): void {
    const got = readSync(this.#open(), target, 0, target.length, offset);
    target.fill(0, got);
  }

  close(): void {
    for (const descriptor of [this.#file, this.#log]) if (descriptor !== null) closeSync(descriptor);
    this.#file = null;
    this.#log = null;
  }

  #append(first: number, count: number, state: BlockState): void {
    writeSync(this.#openLog(), record(first, count, state));
    this.#note(first, count, state);
  }

  #note(first: number, count: number, state: BlockState): void {
    this.map.set(first, count, state);
    if (state === BLOCK.data) this.#bytesWritten += count * BLOCK_BYTES;
  }

  #open(): number {
    this.#file ??= openSync(this.#paths.bytes, existsSync(this.#paths.bytes) ? 'r+' : 'w+', 0o600);
    return this.#file;
  }

  /** A record torn by a kill is cut off first. */
  #openLog(): number {
    if (this.#log !== null) return this.#log;
    const log = openSync(this.#paths.log, 'a', 0o600);
    const { length } = readFileSync(this.#paths.log);
    if (length % RECORD_BYTES !== 0) ftruncateSync(log, length - (length % RECORD_BYTES));
    this.#log = log;
    return log;
  }
}

export interface LayerPaths {
  readonly bytes: string;
  readonly log: string;
}

export function layerPaths(dir: string, id: string): LayerPaths {
  return { bytes: join(dir, `${id}.raw`), log: join(dir, `${id}.blocks`) };
}

/** The log of a layer that holds these ranges, rounded out to whole blocks. */
export function logOf(ranges: readonly Range[]): Buffer {
  return Buffer.concat(
    ranges.map(({ start, end }) => {
      const first = Math.floor(start / BLOCK_BYTES);
      return record(first, Math.ceil(end / BLOCK_BYTES) - first, BLOCK.data);
    }),
  );
}

function record(first: number, count: number, state: BlockState): Buffer {
  const bytes = Buffer.alloc(RECORD_BYTES);
  bytes.writeUInt32LE(first, 0);
  bytes.writeUInt32LE(count, 4);
  bytes.writeUInt32LE(state, 8);
  return bytes;
}
