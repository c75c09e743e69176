/** The embedded database belongs to one process at a time: two would damage it. */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { DrError } from '../../domain/errors.ts';

/** Takes the folder for this process; a lock left by a process that is gone is taken over. Returns what gives it back. */
export async function lockFolder(folder: string): Promise<() => Promise<void>> {
  const file = `${folder}.lock`;
  await mkdir(dirname(folder), { recursive: true, mode: 0o700 });
  for (let attempt = 0; attempt < 2; attempt += 1) {
    try {
      await writeFile(file, String(process.pid), { flag: 'wx', mode: 0o600 });
      return () => rm(file, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      const holder = Number(await readFile(file, 'utf8').catch(() => ''));
      if (isRunning(holder)) throw inUse(folder, holder);
      await rm(file, { force: true });
    }
  }
  throw inUse(folder, 0);
}

function isRunning(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function inUse(folder: string, pid: number): DrError {
  const reason = `${folder} is in use by process ${pid}; several processes need PostgreSQL (catalogue.url)`;
  return new DrError('DR_CATALOGUE_UNREACHABLE', { reason });
}
