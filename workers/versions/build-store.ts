/**
 * The workflow builds that this installation still needs, in `<dataDir>/workflow-bundles/<buildId>.js`: runs are pinned
 * to the build they began on, and an upgrade must not take it away from them. Written whole or not at all.
 */
import { copyFile, mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { WorkflowBuild } from '../bundle.ts';

const BUNDLE = /^([0-9a-f]+)\.js$/;
/** The build that this server made current last. */
const CURRENT = 'made-current';

export interface BuildStore {
  /** Resolves when the copy would survive a power cut. */
  keep(build: WorkflowBuild): Promise<WorkflowBuild>;
  list(): Promise<readonly WorkflowBuild[]>;
  remove(buildId: string): Promise<void>;
  madeCurrent(): Promise<string | undefined>;
  recordMadeCurrent(buildId: string): Promise<void>;
}

/** Several processes may use one folder at once. */
export async function openBuildStore(folder: string): Promise<BuildStore> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const fileOf = (buildId: string) => join(folder, `${buildId}.js`);
  const currentFile = join(folder, CURRENT);

  const list = async () =>
    (await readdir(folder)).sort().flatMap((name): WorkflowBuild[] => {
      const buildId = BUNDLE.exec(name)?.[1];
      return buildId === undefined ? [] : [{ buildId, file: fileOf(buildId) }];
    });

  return {
    list,
    async keep(build) {
      const kept = { buildId: build.buildId, file: fileOf(build.buildId) };
      if ((await list()).some(({ buildId }) => buildId === build.buildId)) return kept;
      await writeWhole(kept.file, (half) => copyFile(build.file, half));
      return kept;
    },
    remove: (buildId) => rm(fileOf(buildId), { force: true }),
    async madeCurrent() {
      const text = await readFile(currentFile, 'utf8').catch(unlessMissing);
      return text?.trim();
    },
    recordMadeCurrent: (buildId) =>
      writeWhole(currentFile, async (half) => {
        const file = await open(half, 'w', 0o600);
        await file.writeFile(`${buildId}\n`);
        await file.close();
      }),
  };
}

async function writeWhole(file: string, write: (half: string) => Promise<void>): Promise<void> {
  const half = `${file}.half.${process.pid}`;
  await write(half);
  const written = await open(half, 'r+');
  await written.sync();
  await written.close();
  await rename(half, file);
}

function unlessMissing(error: unknown): undefined {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
}
