/** Why a database run cannot be on this machine. */
import { access } from 'node:fs/promises';
import { attempt, findTools } from './tools.ts';

/** Null: nothing is in its way. */
export async function obstacle(): Promise<string | null> {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'it mounts disks, as root on Linux';
  for (const device of ['/dev/fuse', '/dev/loop-control']) {
    const isThere = await access(device).then(
      () => true,
      () => false,
    );
    if (!isThere) return `there is no ${device}`;
  }
  const mounting = await attempt('unshare', ['--mount', 'mount', '-t', 'tmpfs', 'none', '/mnt']);
  if (mounting.code !== 0) return `mounting is not allowed: ${mounting.output.trim()}`;
  return findTools().then(
    () => null,
    (error: Error) => error.message,
  );
}
