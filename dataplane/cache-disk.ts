/** The volume of the cache folder: what its failures mean. */
import { DrError } from '../domain/errors.ts';
import { MiB } from '../domain/units.ts';

export interface CacheDisk {
  readonly folder: string;
  /** The volume is never filled beyond this. */
  readonly freeBytesMin: number;
}

/** @throws DR_CACHE_DISK_FULL, DR_INTERNAL for any other failure of `work` */
export async function onCacheDisk<T>(cache: CacheDisk, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOSPC' || code === 'EDQUOT') throw cacheDiskFull(cache, 0, error);
    const reason = `the cache folder ${cache.folder} failed, or a newer attempt has cleared it (${code ?? 'no code'})`;
    throw new DrError('DR_INTERNAL', { reason }, { cause: error });
  }
}

export function cacheDiskFull(cache: CacheDisk, freeBytes: number, cause?: unknown): DrError {
  const freeMiB = Math.floor(freeBytes / MiB);
  const neededMiB = Math.ceil(cache.freeBytesMin / MiB);
  return new DrError('DR_CACHE_DISK_FULL', { path: cache.folder, freeMiB, neededMiB }, { cause });
}
