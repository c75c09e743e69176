import { createHash } from 'node:crypto';
import { createReadStream, mkdirSync } from 'node:fs';
import { open, readFile, readdir, rename, rm } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { MiB } from '../../domain/units.ts';
import { writeDurably } from './store.ts';

const PIECE_BYTES = 4 * MiB;
const PIECES_AT_ONCE = 4;

/** Half-open byte range. */
export interface Range {
  readonly start: number;
  readonly end: number;
}

export type ReadPiece = (range: Range) => Promise<Uint8Array>;

/**
 * Bytes of managed disks and snapshots without VHD footer: one sparse file each, and beside it the ranges that
 * hold data, so that a copy of a copy stays sparse. A file appears under its final name only when it is whole.
 */
export class ByteStore {
  readonly #dir: string;

  constructor(stateDir: string) {
    this.#dir = join(stateDir, 'bytes');
    mkdirSync(this.#dir, { recursive: true });
  }

  /** Repeating it after a crash starts the copy again. */
  async fill(
    id: string,
    bytes: number,
    data: { readonly ranges: readonly Range[]; readonly read: ReadPiece },
    signal: AbortSignal,
  ): Promise<void> {
    const partial = `${this.#path(id)}.partial`;
    const file = await open(partial, 'w', 0o600);
    try {
      await file.truncate(bytes);
      await copyPieces(file, data.ranges, data.read, signal);
      await file.sync();
    } finally {
      await file.close();
    }
    writeDurably(this.#rangesPath(id), JSON.stringify(data.ranges));
    await rename(partial, this.#path(id));
  }

  async copy(fromId: string, toId: string, bytes: number, signal: AbortSignal): Promise<void> {
    const source = await open(this.#path(fromId), 'r');
    try {
      const read: ReadPiece = async ({ start, end }) => {
        const piece = Buffer.alloc(end - start);
        await source.read(piece, 0, piece.length, start);
        return piece;
      };
      await this.fill(toId, bytes, { ranges: await this.ranges(fromId), read }, signal);
    } finally {
      await source.close();
    }
  }

  async ranges(id: string): Promise<Range[]> {
    return JSON.parse(await readFile(this.#rangesPath(id), 'utf8')) as Range[];
  }

  read(id: string, range: Range): Readable {
    if (range.end <= range.start) return Readable.from([]);
    return createReadStream(this.#path(id), {
      start: range.start,
      end: range.end - 1,
      highWaterMark: MiB,
    });
  }

  /** SHA-256 of the whole and, when asked, of each block of `blockBytes`. Holes are hashed, not read. */
  async hash(
    id: string,
    bytes: number,
    blockBytes: number | null,
  ): Promise<{ sha256: string; blocks: string[] }> {
    const step = blockBytes ?? PIECE_BYTES;
    const whole = createHash('sha256');
    const blocks: string[] = [];
    const ranges = await this.ranges(id);
    const zeros = Buffer.alloc(step);
    const zerosHash = sha256(zeros);
    const buffer = Buffer.alloc(step);
    const file = await open(this.#path(id), 'r');
    try {
      for (let at = 0; at < bytes; at += step) {
        const length = Math.min(step, bytes - at);
        while (ranges[0] !== undefined && ranges[0].end <= at) ranges.shift();
        const isHole = ranges[0] === undefined || ranges[0].start >= at + length;
        if (!isHole) await file.read(buffer, 0, length, at);
        const block = (isHole ? zeros : buffer).subarray(0, length);
        whole.update(block);
        if (blockBytes !== null) blocks.push(isHole && length === step ? zerosHash : sha256(block));
        if (isHole) await setImmediate();
      }
    } finally {
      await file.close();
    }
    return { sha256: whole.digest('hex'), blocks };
  }

  /** `inUse` is asked after the files were listed, so that a copy begun meanwhile keeps its own. */
  async keepOnly(inUse: () => ReadonlySet<string>): Promise<void> {
    const names = await readdir(this.#dir);
    const ids = inUse();
    const left = names.filter((name) => !ids.has(name.split('.')[0] ?? name));
    for (const name of left) await rm(join(this.#dir, name), { force: true });
  }

  #path(id: string): string {
    return join(this.#dir, `${id}.raw`);
  }

  #rangesPath(id: string): string {
    return join(this.#dir, `${id}.ranges`);
  }
}

async function copyPieces(
  file: FileHandle,
  ranges: readonly Range[],
  read: ReadPiece,
  signal: AbortSignal,
): Promise<void> {
  const pieces = ranges.flatMap(cut);
  let next = 0;
  const work = async (): Promise<void> => {
    for (let piece = pieces[next++]; piece !== undefined; piece = pieces[next++]) {
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
