/** Tools that were fetched or built once, under `.cache/tools/`: one file each, named by what it was made from. */
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, open, readFile, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { DrError } from '../../domain/errors.ts';

export const repositoryRoot = fileURLToPath(new URL('../../', import.meta.url));
const cacheFolder = join(repositoryRoot, '.cache/tools');
const LOCK_WAIT_MS = 20 * 60_000;

export interface CachedTool {
  readonly name: string;
  /** Version or hash of the sources: another key is another file. */
  readonly key: string;
  /** Leaves the executable somewhere inside `folder` and returns its path. */
  readonly make: (folder: string) => Promise<string>;
}

/**
 * Path of the tool, made first if it is not there. Two processes never make the same tool at once, and nobody
 * sees a half-made one. Files of other keys are removed.
 */
export async function cachedTool({ name, key, make }: CachedTool): Promise<string> {
  const path = join(cacheFolder, `${name}-${key}`);
  if (existsSync(path)) return path;
  await mkdir(cacheFolder, { recursive: true });
  const unlock = await lock(join(cacheFolder, `${name}.lock`), name);
  try {
    if (existsSync(path)) return path;
    const folder = await mkdtemp(join(cacheFolder, `.${name}-`));
    try {
      const made = await make(folder);
      await chmod(made, 0o755);
      await rename(made, path);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
    await removeOtherKeys(name, key);
    return path;
  } finally {
    await unlock();
  }
}

async function removeOtherKeys(name: string, key: string): Promise<void> {
  const stale = (await readdir(cacheFolder)).filter(
    (file) => file.startsWith(`${name}-`) && file !== `${name}-${key}`,
  );
  await Promise.all(stale.map((file) => rm(join(cacheFolder, file), { force: true })));
}

/** A file that holds its owner's pid; a lock whose owner is gone is taken over. */
async function lock(path: string, name: string): Promise<() => Promise<void>> {
  const giveUpAt = Date.now() + LOCK_WAIT_MS;
  while (Date.now() < giveUpAt) {
    try {
      const file = await open(path, 'wx');
      await file.writeFile(String(process.pid));
      await file.close();
      return () => rm(path, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    if (!(await ownerLives(path))) await rm(path, { force: true });
    await sleep(200);
  }
  throw new DrError('DR_TOOL_MISSING', {
    tool: name,
    reason: `another process has been making it for ${LOCK_WAIT_MS / 60_000} minutes; if none is: rm ${path}`,
  });
}

async function ownerLives(path: string): Promise<boolean> {
  const text = await readFile(path, 'utf8').catch(() => '');
  // Empty: its owner has just made it and is about to write.
  if (text === '') return true;
  try {
    process.kill(Number(text), 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
