/** Mounts copies of a point's disks, lets PostgreSQL recover on them and looks at everything. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { damages, imbalances, readBooks, tableFiles, type Books, type Expected } from './books.ts';
import { checkFilesystem } from './filesystem.ts';
import { DATA_FOLDER, mountImage, volumes, WAL_FOLDER } from './guest.ts';
import { copyImages } from './images.ts';
import { logFilesIn, recoveryOf, type Recovery } from './recovery.ts';
import { startServer } from './server.ts';
import type { Tools } from './tools.ts';
import { Undo } from './undo.ts';

const settings = { fsync: 'off', shared_buffers: '32MB', autovacuum: 'off', log_checkpoints: 'on' };

export interface Examined {
  /** Exit codes of e2fsck, disk by disk. */
  readonly codes: readonly number[];
  /** Null when it did not come that far. */
  readonly books: Books | null;
  /** Empty: everything holds. */
  readonly problems: readonly string[];
  /** Null when nothing was recovered. */
  readonly recovery: Recovery | null;
}

export interface ExamineOptions {
  readonly tools: Tools;
  /** Images of the disks in the order of `volumes`; they are not changed. */
  readonly images: readonly string[];
  readonly expected: Expected;
  /** Made, and removed again. */
  readonly folder: string;
}

/** @throws Error when a copy could not be taken down */
export async function examine(options: ExamineOptions): Promise<Examined> {
  const undo = new Undo();
  const codes: number[] = [];
  const problems: string[] = [];
  let books: Books | null = null;
  let recovery: Recovery | null = null;
  try {
    codes.push(...(await mountCopies(options, undo, problems)));
    recovery = await recover(options, undo, problems, (read) => (books = read));
  } catch (error) {
    problems.push(firstLines((error as Error).message));
  }
  const left = await undo.all();
  await rm(options.folder, { recursive: true, force: true });
  if (left.length > 0) throw new Error(`a copy was not taken down: ${left.join('; ')}`);
  return { codes, books, problems, recovery };
}

/** Exit codes of e2fsck. */
async function mountCopies(
  { tools, images, folder }: ExamineOptions,
  undo: Undo,
  problems: string[],
): Promise<number[]> {
  const codes: number[] = [];
  const copies = await copyImages(images, folder);
  for (const copy of copies) {
    const check = await checkFilesystem(tools, copy);
    codes.push(check.code);
    problems.push(...check.problems);
  }
  for (const [index, volume] of volumes.entries()) {
    await mountImage(copies[index] ?? '', join(folder, volume), undo);
  }
  return codes;
}

async function recover(
  { tools, folder, expected }: ExamineOptions,
  undo: Undo,
  problems: string[],
  onBooks: (books: Books) => void,
): Promise<Recovery | null> {
  const data = join(folder, DATA_FOLDER);
  const logFile = join(folder, 'server.log');
  const logFiles = await logFilesIn(tools, join(folder, WAL_FOLDER));
  await rm(join(data, 'postmaster.pid'), { force: true });
  const server = await startServer({ tools, data, sockets: join(folder, 's'), logFile, settings });
  undo.add('the server on a copy', () => server.stop());
  const client = await server.connect();
  undo.add('its session', () => client.end());
  const tables = (await tableFiles(client)).map((path) => join(data, path));
  const recovery = await recoveryOf(tools, logFile, logFiles, tables);
  const books = await readBooks(client);
  onBooks(books);
  problems.push(...imbalances(books, expected), ...(await damages(client)));
  return recovery;
}

/** Of a server that does not come up, what its log ends in says why; asking while it recovers is answered with FATAL. */
function firstLines(text: string): string {
  const lines = text.split('\n').map((line) => line.trim());
  const telling = lines.filter((line) => /PANIC|FATAL|ERROR/.test(line) && !/is starting up/.test(line));
  return (telling.length > 0 ? telling : lines).slice(0, 2).join('; ');
}
