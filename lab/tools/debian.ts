/** Tools of other people that referee ours, or race it: found on PATH, else installed as Debian packages where that is allowed. */
import { DrError } from '../../domain/errors.ts';
import { namedTool } from './named.ts';
import { announced, onPath, run } from './run.ts';

/** The package each tool comes in. */
const packages = {
  'qemu-img': 'qemu-utils',
  nbdkit: 'nbdkit',
  nbdcopy: 'libnbd-bin',
  nbdinfo: 'libnbd-bin',
  nbdfuse: 'libnbd-bin',
  mke2fs: 'e2fsprogs',
  e2fsck: 'e2fsprogs',
  filefrag: 'e2fsprogs',
  ip: 'iproute2',
  rclone: 'rclone',
  restic: 'restic',
} as const;

export type DebianTool = keyof typeof packages;

export const referees: readonly DebianTool[] = ['qemu-img', 'nbdkit', 'nbdcopy', 'nbdinfo'];

/** Absolute path: `SWITCHBACK_<TOOL>` (`SWITCHBACK_QEMU_IMG`), else on PATH. @throws DR_TOOL_MISSING with the command that brings it */
export function debianTool(tool: DebianTool): string {
  const found = namedTool(tool, `SWITCHBACK_${tool.replaceAll('-', '_').toUpperCase()}`) ?? onPath(tool);
  if (found !== undefined) return found;
  const reason = `it is not on PATH; run: apt-get install --no-install-recommends ${packages[tool]}`;
  throw new DrError('DR_TOOL_MISSING', { tool, reason });
}

/** Installs what is missing, as root on a Debian; elsewhere `debianTool` says what to do. */
export async function installMissing(tools: readonly DebianTool[]): Promise<void> {
  const missing = [...new Set(tools.filter((tool) => !isThere(tool)).map((tool) => packages[tool]))];
  if (missing.length === 0 || process.getuid?.() !== 0 || onPath('apt-get') === undefined) return;
  const options = ['-q', '-y', '-o', 'DPkg::Lock::Timeout=300', '--no-install-recommends'];
  await announced(`Debian packages ${missing.join(', ')}`, async () => {
    await run('apt-get', ['-q', 'update']);
    const installed = await run('apt-get', ['install', ...options, ...missing]);
    if (!installed.ok) process.stderr.write(`  not installed: ${installed.tail.split('\n').at(-1)}\n`);
  });
}

function isThere(tool: DebianTool): boolean {
  try {
    return debianTool(tool) !== '';
  } catch {
    return false;
  }
}
