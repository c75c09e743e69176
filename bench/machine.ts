/** Where, when and with what a run is made. */
import { readFileSync } from 'node:fs';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { MiB } from '../domain/units.ts';
import { repositoryRoot } from '../lab/tools/cache.ts';
import type { TestImage } from './image.ts';
import type { BenchOptions } from './options.ts';
import type { Circumstances } from './results.ts';
import { run } from './shell.ts';

const versionOf: Readonly<Record<string, readonly [string, ...string[]]>> = {
  rclone: ['rclone', 'version'],
  restic: ['restic', 'version'],
  nbdkit: ['nbdkit', '--version'],
  nbdcopy: ['nbdcopy', '--version'],
};

export async function circumstancesOf(
  options: BenchOptions,
  { bytes, nonZeroBytes, sha256 }: TestImage,
): Promise<Circumstances> {
  const git = (...args: string[]) => run('git', ['-C', repositoryRoot, ...args]);
  return {
    run: new Date().toISOString(),
    commit: (await git('rev-parse', 'HEAD').catch(() => 'unknown')).trim(),
    dirty: (await git('status', '--porcelain').catch(() => '?')).trim() !== '',
    machine: {
      cpu: cpus()[0]?.model ?? 'unknown',
      cores: cpus().length,
      memoryMiB: Math.round(totalmem() / MiB),
      kernel: release(),
    },
    load: loadavg().map((load) => Number(load.toFixed(2))),
    versions: { node: process.versions.node, azurite: azuriteVersion(), ...(await toolVersions()) },
    seed: options.seed,
    quick: options.quick,
    disk: { bytes, nonZeroBytes, sha256 },
  };
}

function azuriteVersion(): string {
  const manifest = join(repositoryRoot, 'node_modules/azurite/package.json');
  return (JSON.parse(readFileSync(manifest, 'utf8')) as { readonly version: string }).version;
}

async function toolVersions(): Promise<Record<string, string>> {
  const found = await Promise.all(
    Object.entries(versionOf).map(async ([tool, [command, ...args]]) => {
      const text = await run(command, args).catch(() => 'missing');
      return [tool, /\d+\.\d+(\.\d+)?/.exec(text)?.[0] ?? 'missing'] as const;
    }),
  );
  return Object.fromEntries(found);
}
