import { createHash } from 'node:crypto';
import { createReadStream, mkdirSync } from 'node:fs';
import { open, readFile, readdir, rename, rm } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { MiB } from '../../domain/units.ts';
import { writeDurably } from './store.ts';

export const PIECE_BYTES = 4 * MiB;
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

  /** SHA-256 of the whole and, when asked, of each block of `blockBytes`. */
  async hash(id: string, blockBytes: number | null): Promise<{ sha256: string; blocks: string[] }> {
    const whole = createHash('sha256');
    const blocks: string[] = [];
    const file = await open(this.#path(id), 'r');
    try {
      const step = blockBytes ?? PIECE_BYTES;
      const buffer = Buffer.alloc(step);
      for (let at = 0; ; at += step) {
        const { bytesRead } = await file.read(buffer, 0, step, at);
        if (bytesRead === 0) break;
        const block = buffer.subarray(0, bytesRead);
        whole.update(block);
        if (blockBytes !== null) blocks.push(createHash('sha256').update(block).digest('hex'));
      }
    } finally {
      await file.close();
    }
    return { sha256: whole.digest('hex'), blocks };
  }

  async remove(id: string): Promise<void> {
    await rm(this.#path(id), { force: true });
    await rm(this.#rangesPath(id), { force: true });
    await rm(`${this.#path(id)}.partial`, { force: true });
  }

  /** Removes what no disk or snapshot names: left by a crash between the deletion and the removal of its file. */
  async keepOnly(ids: ReadonlySet<string>): Promise<void> {
    for (const name of await readdir(this.#dir)) {
      const id = name.split('.')[0] ?? name;
      if (!ids.has(id)) await rm(join(this.#dir, name), { force: true });
    }
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

function cut(range: Range): Range[] {
  const count = Math.ceil((range.end - range.start) / PIECE_BYTES);
  return Array.from({ length: count }, (_, index) => ({
    start: range.start + index * PIECE_BYTES,
    end: Math.min(range.end, range.start + (index + 1) * PIECE_BYTES),
  }));
}
