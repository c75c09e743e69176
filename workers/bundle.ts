/**
 * The workflow bundle, built ahead and kept by the hash of what goes into it: a worker starts from a file and never
 * runs webpack on the worst night. `npm run generate` and the container image build it; a missing one is built once.
 */
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
/** What goes into the bundle; the container image must hold all of it. */
export const BUNDLE_SOURCES = ['workflows', 'domain', 'package-lock.json'] as const;
/** Changes when the same sources are bundled in another way. */
const BUNDLE_FORM = 'preloaded';

/** One build of the workflows. */
export interface WorkflowBuild {
  /** Hash of the sources: the version that Temporal pins runs to. */
  readonly buildId: string;
  /** Holds everything that a worker needs to run it. */
  readonly file: string;
}

/** Path of the bundle for exactly the present sources. Safe to call from several processes at once. */
export async function workflowBundle(): Promise<string> {
  return (await workflowBuild()).file;
}

/** The build of the sources under `root`, made unless it is there. */
export async function workflowBuild(root = ROOT): Promise<WorkflowBuild> {
  const folder = join(root, '.cache', 'workflow-bundle');
  const buildId = await hashOfSources(root);
  const file = join(folder, `${buildId}.js`);
  if (await exists(file)) return { buildId, file };
  await mkdir(folder, { recursive: true });
  const workflowsPath = join(root, 'workflows', 'index.ts');
  const { code } = await bundleWorkflowCode({
    workflowsPath,
    // No module holds state of a run: all runs of a worker share them, frozen, instead of holding a copy each.
    preloadModules: [workflowsPath],
    logger: new DefaultLogger('ERROR'),
  });
  const half = `${file}.${process.pid}`;
  await writeFile(half, code);
  await rename(half, file);
  return { buildId, file };
}

async function hashOfSources(root: string): Promise<string> {
  const hash = createHash('sha256').update(BUNDLE_FORM);
  for (const source of BUNDLE_SOURCES) {
    for (const file of await filesOf(join(root, source))) {
      hash
        .update(relative(root, file))
        .update('\0')
        .update(await readFile(file))
        .update('\0');
    }
  }
  return hash.digest('hex').slice(0, 24);
}

async function filesOf(path: string): Promise<string[]> {
  if (!(await stat(path)).isDirectory()) return [path];
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

async function exists(file: string): Promise<boolean> {
  return stat(file).then(
    () => true,
    () => false,
  );
}
