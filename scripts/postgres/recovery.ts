/** What a server read to recover, and which pages it left as they were: where a stream must not have lost anything. */
import { open, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Extent } from '../../domain/replication.ts';
import { placesOf, type Placed } from './filesystem.ts';
import { WAL_SEGMENT_BYTES } from './guest.ts';
import type { Tools } from './tools.ts';

export interface Recovery {
  /** Places on the log's disk that it was read from. */
  readonly log: readonly Extent[];
  /** Pages of tables on the data's disk that nothing in the log makes good again. */
  readonly settled: readonly Extent[];
}

const DATABASE_PAGE_BYTES = 8192;

/** Where the files of the log lie; asked before a server starts, which gives them other names. */
export async function logFilesIn(tools: Tools, folder: string): Promise<Placed[]> {
  const names = (await readdir(folder)).filter((name) => /^[0-9A-F]{24}$/.test(name));
  return placesOf(
    tools,
    names.map((name) => join(folder, name)),
  );
}

/** Of a server that has just come up and was asked nothing yet; null when it had nothing to recover. */
export async function recoveryOf(
  tools: Tools,
  serverLog: string,
  logFiles: readonly Placed[],
  tables: readonly string[],
): Promise<Recovery | null> {
  const text = await readFile(serverLog, 'utf8');
  const [from, to] = [positionIn(text, /redo starts at (\S+)/), positionIn(text, /redo done at (\S+)/)];
  if (from === undefined || to === undefined) return null;
  const settled: Extent[] = [];
  for (const table of tables) settled.push(...(await settledPages(tools, table, from)));
  return { log: logPlaces(logFiles, from, to), settled };
}

/** Recovery has written all it changed before it lets anybody in: what is older than its beginning, it did not touch. */
async function settledPages(tools: Tools, table: string, from: number): Promise<Extent[]> {
  const pages: Extent[] = [];
  const places = await placesOf(tools, [table]);
  const file = await open(table, 'r');
  try {
    const head = Buffer.alloc(8);
    for (const { offset, at, length } of places) {
      for (let done = 0; done + DATABASE_PAGE_BYTES <= length; done += DATABASE_PAGE_BYTES) {
        const { bytesRead } = await file.read(head, 0, head.length, offset + done);
        const lastChange = positionOf(head.readUInt32LE(0), head.readUInt32LE(4));
        if (bytesRead === head.length && lastChange > 0 && lastChange < from) {
          pages.push({ offset: at + done, length: DATABASE_PAGE_BYTES });
        }
      }
    }
  } finally {
    await file.close();
  }
  return pages;
}

function logPlaces(logFiles: readonly Placed[], from: number, to: number): Extent[] {
  return logFiles.flatMap(({ file, offset, at, length }) => {
    const start = startOfLogFile(file) + offset;
    const [first, last] = [Math.max(from, start), Math.min(to, start + length)];
    return first < last ? [{ offset: at + first - start, length: last - first }] : [];
  });
}

/** The file's name is its timeline, then its number in two halves: https://www.postgresql.org/docs/15/wal-internals.html */
function startOfLogFile(path: string): number {
  const name = path.slice(-24);
  const perHalf = 2 ** 32 / WAL_SEGMENT_BYTES;
  const number = Number(`0x${name.slice(8, 16)}`) * perHalf + Number(`0x${name.slice(16)}`);
  return number * WAL_SEGMENT_BYTES;
}

/** `1/2A000028` is 0x12A000028. */
function positionIn(text: string, pattern: RegExp): number | undefined {
  const [high, low] = pattern.exec(text)?.[1]?.split('/') ?? [];
  if (high === undefined || low === undefined) return undefined;
  return positionOf(Number(`0x${high}`), Number(`0x${low}`));
}

function positionOf(high: number, low: number): number {
  return high * 2 ** 32 + low;
}
