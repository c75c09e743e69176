/** What `e2fsck` says about a copy, and where files lie on its disk. */
import type { Extent } from '../../domain/replication.ts';
import { attempt, must, type Tools } from './tools.ts';

const BLOCK_BYTES = 4096;
/** What a journal's recovery prints. The superblock's own counts are written at unmount only: they are always behind. */
const harmless: readonly RegExp[] = [
  /^e2fsck \d/,
  /: recovering journal$/,
  /^(?:Clearing|Truncating) orphaned inode \d+/,
  /^Pass \d/,
  /^$/,
  /FILE SYSTEM WAS MODIFIED/,
  /: \d+\/\d+ files \(.*\), \d+\/\d+ blocks$/,
  /^Free (?:blocks|inodes) count wrong \(\d+, counted=\d+\)\.$/,
  /^Fix\? yes$/,
];

export interface FilesystemCheck {
  /** Exit code of the check that repairs: 0 clean, 1 after the journal's recovery. */
  readonly code: number;
  /** Everything it found but the journal's recovery; and whatever a second check still finds. */
  readonly problems: readonly string[];
}

/** Recovers the journal as a mount would, and checks everything. */
export async function checkFilesystem(tools: Tools, image: string): Promise<FilesystemCheck> {
  const repaired = await attempt(tools.e2fsck, ['-f', '-y', image]);
  const found = findings(repaired.output);
  const problems = found.length === 0 ? [] : [`e2fsck: ${found.slice(0, 3).join('; ')}`];
  if (repaired.code > 1) problems.push(`e2fsck: exit code ${repaired.code}`);
  const again = await attempt(tools.e2fsck, ['-f', '-n', image]);
  if (again.code !== 0) problems.push(`e2fsck -n after it: exit code ${again.code}`);
  return { code: repaired.code, problems };
}

/** Lines that tell of more than a recovered journal. */
export function findings(output: string): string[] {
  return output.split('\n').filter((line) => !harmless.some((each) => each.test(line)));
}

/** A run of a file's bytes and where they lie on the disk. */
export interface Placed extends Extent {
  readonly file: string;
  /** On the disk. */
  readonly at: number;
}

/** Of files on a mounted file system; what is not on the disk yet is written first. */
export async function placesOf(tools: Tools, files: readonly string[]): Promise<Placed[]> {
  const places: Placed[] = [];
  for (const file of files) {
    const output = await must(tools.filefrag, ['-s', `-b${BLOCK_BYTES}`, '-e', file]);
    for (const [, from, at, blocks] of output.matchAll(
      /^\s*\d+:\s+(\d+)\.\.\s*\d+:\s+(\d+)\.\.\s*\d+:\s+(\d+):/gm,
    )) {
      const [offset = 0, start = 0, length = 0] = [from, at, blocks].map(
        (each) => Number(each) * BLOCK_BYTES,
      );
      places.push({ file, offset, at: start, length });
    }
  }
  return places;
}
