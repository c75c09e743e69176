/** The test disk: an ext4 file system made of this machine's own files and seeded random bytes. */
import { createHash } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import {
  copyFile,
  mkdir,
  mkdtemp,
  open,
  readFile,
  readdir,
  rename,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { z } from 'zod';
import { announced } from '../lab/tools/run.ts';
import { debianTool } from '../lab/tools/debian.ts';
import { repositoryRoot } from '../lab/tools/cache.ts';
import { KiB, MiB, roundUp } from '../domain/units.ts';
import { seededStream } from './random.ts';
import { run } from './shell.ts';

const BLOCK_BYTES = 4 * KiB;
const READ_BYTES = 4 * MiB;
/** Of a GiB: files of so much, so much of that random; the file system's own blocks make it 856. Smaller disks have the same shares. */
const FILES_MIB = 851;
const RANDOM_MIB = 64;
/** An ext4 of a GiB has 65,536 inodes. */
const FILES_PER_GIB = 30_000;
const GIB_OF_MIB = 1024;
/** Nobody looks for a file that fills the last bit. */
const SMALL_REST_BYTES = MiB;

const FILE_SYSTEM_UUID = '5b1c8bac-0000-4000-8000-000000000000';
const HASH_SEED = '5b1c8bac-0000-4000-8000-000000000001';

/** Where files come from, and the share of the data each gives at most; later ones fill what is left. */
const sources: readonly { readonly folder: string; readonly share: number }[] = [
  { folder: '/usr/lib/python3', share: 0.06 },
  { folder: '/usr/lib/postgresql', share: 0.06 },
  { folder: '/usr/share/locale', share: 0.18 },
  { folder: '/usr/share/doc', share: 0.04 },
  { folder: '/usr/lib/x86_64-linux-gnu', share: 0.62 },
  { folder: '/usr/lib', share: 0.5 },
  { folder: '/usr/bin', share: 1 },
  { folder: join(repositoryRoot, 'node_modules'), share: 1 },
];

const factsSchema = z.object({
  bytes: z.number(),
  nonZeroBytes: z.number(),
  sha256: z.string(),
  seed: z.number(),
});

export interface TestImage extends z.infer<typeof factsSchema> {
  readonly file: string;
}

/** Made once and kept below `folder`, with its hash; a file that is not what it was is made anew. */
export async function testImage(folder: string, seed: number, diskMiB: number): Promise<TestImage> {
  const file = join(folder, `disk-${diskMiB}m-${seed}.img`);
  const kept = await keptImage(file);
  if (kept !== null) return kept;
  return announced(`a test disk of ${diskMiB} MiB from local files`, async () => {
    await mkdir(folder, { recursive: true });
    await rm(file, { force: true });
    await makeImage(file, seed, diskMiB);
    const facts = { ...(await lookThrough(file)), seed };
    await writeFile(`${file}.json`, JSON.stringify(facts));
    return { ...facts, file };
  });
}

async function keptImage(file: string): Promise<TestImage | null> {
  if (!existsSync(file) || !existsSync(`${file}.json`)) return null;
  const facts = factsSchema.parse(JSON.parse(await readFile(`${file}.json`, 'utf8')));
  return (await sha256OfFile(file)) === facts.sha256 ? { ...facts, file } : null;
}

async function makeImage(file: string, seed: number, diskMiB: number): Promise<void> {
  const staging = await mkdtemp(join(dirname(file), 'files-'));
  try {
    await gatherFiles(staging, seed, diskMiB);
    const made = `${file}.part`;
    await run(debianTool('mke2fs'), [
      '-qFt',
      'ext4',
      '-d',
      staging,
      '-U',
      FILE_SYSTEM_UUID,
      '-E',
      `hash_seed=${HASH_SEED},nodiscard`,
      made,
      `${diskMiB}M`,
    ]);
    await rename(made, file);
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

async function gatherFiles(staging: string, seed: number, diskMiB: number): Promise<void> {
  const scale = diskMiB / GIB_OF_MIB;
  const randomBytes = Math.round(RANDOM_MIB * scale) * MiB;
  await writeFile(join(staging, 'random'), seededStream(seed, 'random file').bytes(randomBytes));
  const wantedBytes = FILES_MIB * scale * MiB - randomBytes;
  let left = { bytes: wantedBytes, files: Math.floor(FILES_PER_GIB * scale) };
  for (const [index, { folder, share }] of sources.entries()) {
    const bounds = { bytes: Math.min(left.bytes, wantedBytes * share), files: left.files };
    const taken = await copySome(folder, join(staging, String(index)), bounds);
    left = { bytes: left.bytes - taken.bytes, files: left.files - taken.files };
  }
}

interface Amount {
  readonly bytes: number;
  readonly files: number;
}

/** Regular files in the order of their names until a bound is met; a file that does not fit is left out. */
async function copySome(from: string, to: string, bounds: Amount): Promise<Amount> {
  let taken: Amount = { bytes: 0, files: 0 };
  const fullBytes = bounds.bytes - SMALL_REST_BYTES;
  for await (const path of filesBelow(from)) {
    if (taken.files >= bounds.files || taken.bytes >= fullBytes) break;
    const { size, nlink } = await stat(path);
    const bytes = roundUp(size, BLOCK_BYTES);
    // A file of several names would be there several times.
    if (bytes === 0 || nlink > 1 || taken.bytes + bytes > bounds.bytes) continue;
    const target = join(to, path.slice(from.length));
    await mkdir(dirname(target), { recursive: true });
    await copyFile(path, target);
    taken = { bytes: taken.bytes + bytes, files: taken.files + 1 };
  }
  return taken;
}

async function* filesBelow(folder: string): AsyncGenerator<string> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* filesBelow(path);
    else if (entry.isFile()) yield path;
  }
}

async function lookThrough(file: string): Promise<{ bytes: number; nonZeroBytes: number; sha256: string }> {
  const hash = createHash('sha256');
  const zeros = Buffer.alloc(BLOCK_BYTES);
  let [bytes, nonZeroBytes] = [0, 0];
  for await (const chunk of createReadStream(file, { highWaterMark: READ_BYTES }) as AsyncIterable<Buffer>) {
    hash.update(chunk);
    bytes += chunk.length;
    for (let at = 0; at < chunk.length; at += BLOCK_BYTES) {
      if (!chunk.subarray(at, at + BLOCK_BYTES).equals(zeros)) nonZeroBytes += BLOCK_BYTES;
    }
  }
  return { bytes, nonZeroBytes, sha256: hash.digest('hex') };
}

export async function sha256OfFile(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file, { highWaterMark: READ_BYTES }), hash);
  return hash.digest('hex');
}

/** Holes stay holes. */
export async function copyImage(from: string, to: string): Promise<void> {
  await run('cp', ['--sparse=auto', from, to]);
}

/** Zeros of that length, all of it a hole. */
export async function emptyImage(file: string, bytes: number): Promise<void> {
  const handle = await open(file, 'w');
  try {
    await handle.truncate(bytes);
  } finally {
    await handle.close();
  }
}
