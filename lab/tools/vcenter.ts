/** Finds or builds the practice vCenter (`lab/vcenter/`). */
import { createHash } from 'node:crypto';
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { cachedTool, repositoryRoot } from './cache.ts';
import { goBuild } from './go.ts';
import { namedTool } from './named.ts';
import { announced } from './run.ts';

export const vcenterSources = join(repositoryRoot, 'lab/vcenter');

/**
 * Absolute path: SWITCHBACK_VCENTER, else built once for each state of its sources.
 * @throws DR_TOOL_MISSING
 */
export async function vcenterBinary(): Promise<string> {
  const named = namedTool('vcenter', 'SWITCHBACK_VCENTER');
  if (named !== undefined) return named;
  return cachedTool({
    name: 'vcenter',
    key: `${await sourcesHash(vcenterSources)}-${process.platform}-${process.arch}`,
    make: (folder) =>
      announced('practice vCenter from source (about half a minute the first time)', () =>
        goBuild({ tool: 'vcenter', folder: vcenterSources, package: '.', output: join(folder, 'vcenter') }),
      ),
  });
}

/** Over names and contents of everything that goes into the binary. */
async function sourcesHash(folder: string): Promise<string> {
  const files = (await readdir(folder, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile() && !entry.name.endsWith('_test.go') && !entry.name.endsWith('.md'))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  const hash = createHash('sha256');
  for (const file of files) {
    hash.update(`${file.slice(folder.length)}\0`);
    hash.update(await readFile(file));
  }
  return hash.digest('hex').slice(0, 16);
}
