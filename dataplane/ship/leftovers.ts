/**
 * The part of the cache folder that belongs to an item: one folder per attempt, named by its epoch. A newer attempt that
 * reads the same frozen state for the same barrier takes the folder of an interrupted one over, by renaming it: from then
 * on the older one, should it still run, finds its files no more and ends.
 */
import { createHash } from 'node:crypto';
import { appendFile, mkdir, readFile, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { crc32c } from '@node-rs/crc32';
import { z } from 'zod';
import type { DiskId } from '../../domain/ids.ts';
import { asId } from '../../domain/ids.ts';
import type { ShipRequest } from './ship-request.ts';

const STATE_FILE = 'state.json';
const MARKS_FILE = 'marks.log';
const KEPT_MS = 7 * 24 * 3_600_000;

const stateSchema = z.strictObject({
  version: z.literal(1),
  /** What is shipped: see `fingerprintOf`. */
  fingerprint: z.string(),
  /** Of all attempts that worked at it, ascending: their segments may be there. */
  epochs: z.array(z.number().int().nonnegative()),
});

/** How far a disk had been read where nothing was worth a record. */
export interface Mark {
  readonly diskId: DiskId;
  /** Everything before it is in segments with smaller numbers. */
  readonly nextSeq: number;
  /** Everything of the source before it was dealt with. */
  readonly offset: number;
}

/** Two attempts with the same fingerprint ship the same bytes. Null: that cannot be told, or the caller does not want it. */
export function fingerprintOf(request: ShipRequest): string | null {
  const { item, barrierNumber, kind, cycle, consistency, sourceTime, snapshotName, resumeOffsets } = request;
  if (request.isResumable !== true) return null;
  const disks: unknown[] = [];
  for (const { diskId, capacityBytes, extents, tail, changeId, skipZeros, gapBytes } of request.disks) {
    if (Symbol.asyncIterator in extents) return null;
    disks.push([diskId, capacityBytes, tail, changeId, skipZeros, gapBytes, extents]);
  }
  const state = [
    item,
    barrierNumber,
    kind,
    cycle,
    consistency,
    sourceTime,
    snapshotName,
    resumeOffsets,
    disks,
  ];
  return createHash('sha256').update(JSON.stringify(state)).digest('hex');
}

/** Makes the attempt's folder. Answers the epochs whose segments it may go on from; none: it begins anew. */
export async function claimFolder(folder: string, fingerprint: string | null): Promise<readonly number[]> {
  const itemFolder = path.dirname(folder);
  const epoch = Number(path.basename(folder));
  await mkdir(itemFolder, { recursive: true });
  const older = (await readdir(itemFolder)).filter((name) => Number(name) <= epoch);
  let epochs: readonly number[] = [];
  for (const name of older.toSorted((a, b) => Number(b) - Number(a))) {
    const leftover = path.join(itemFolder, name);
    const known = epochs.length > 0 || fingerprint === null ? [] : await epochsIn(leftover, fingerprint);
    if (known.length === 0) await removeFolder(leftover);
    else if (name === path.basename(folder)) epochs = known;
    else epochs = await tookOver(leftover, folder, known);
  }
  await mkdir(folder, { recursive: true });
  if (fingerprint !== null) await writeState(folder, fingerprint, [...epochs, epoch]);
  return epochs;
}

/** Removes what attempts left that nobody came back to: their items are protected no more, or elsewhere. */
export async function sweepFolders(cacheFolder: string, nowMs: number): Promise<void> {
  const folders = await readdir(cacheFolder, { recursive: true, withFileTypes: true });
  for (const entry of folders.filter((each) => each.isDirectory() && /^\d+$/.test(each.name))) {
    const folder = path.join(entry.parentPath, entry.name);
    const { mtimeMs } = await stat(folder);
    if (nowMs - mtimeMs > KEPT_MS) await removeFolder(folder);
  }
}

/** Nothing when somebody else was first. */
async function tookOver(
  leftover: string,
  folder: string,
  epochs: readonly number[],
): Promise<readonly number[]> {
  const isTaken = await rename(leftover, folder).then(
    () => true,
    () => false,
  );
  return isTaken ? epochs : [];
}

async function epochsIn(folder: string, fingerprint: string): Promise<readonly number[]> {
  try {
    const state = stateSchema.parse(JSON.parse(await readFile(path.join(folder, STATE_FILE), 'utf8')));
    return state.fingerprint === fingerprint ? state.epochs : [];
  } catch {
    return [];
  }
}

/** An attempt that is ending may still put a file into it: then it is tried again, for a second. */
export async function removeFolder(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 20 });
}

async function writeState(folder: string, fingerprint: string, epochs: readonly number[]): Promise<void> {
  const file = path.join(folder, STATE_FILE);
  await writeFile(`${file}.new`, JSON.stringify({ version: 1, fingerprint, epochs: [...new Set(epochs)] }));
  await rename(`${file}.new`, file);
}

export async function appendMark(folder: string, { diskId, nextSeq, offset }: Mark): Promise<void> {
  const text = `${diskId} ${nextSeq} ${offset}`;
  await appendFile(path.join(folder, MARKS_FILE), `${text} ${crc32c(text)}\n`);
}

/** Lines that are torn or altered are left out. */
export async function readMarks(folder: string): Promise<readonly Mark[]> {
  const text = await readFile(path.join(folder, MARKS_FILE), 'utf8').catch(() => '');
  return text.split('\n').flatMap((line) => {
    const [, mark = '', diskId = '', nextSeq, offset, crc] = /^((\S+) (\d+) (\d+)) (\d+)$/.exec(line) ?? [];
    if (crc === undefined || crc32c(mark) !== Number(crc)) return [];
    return [{ diskId: asId<DiskId>(diskId), nextSeq: Number(nextSeq), offset: Number(offset) }];
  });
}
