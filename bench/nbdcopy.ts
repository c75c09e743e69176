/** The floor of a copy that no storage account, no encryption and no delta slow down: `nbdcopy` from disk to disk. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { debianTool } from '../lab/tools/debian.ts';
import { startProcess } from '../lab/processes/process.ts';
import type { BenchRun } from './bench-run.ts';
import { emptyImage, sha256OfFile } from './image.ts';
import { createNamespace } from './netns.ts';
import { metered } from './rig.ts';
import type { Metrics } from './rows.ts';
import { timed } from './shell.ts';

const PORT = 10_809;
const READY_MS = 10_000;

/** Over TCP in a namespace of its own. @throws Error when the copy differs */
export async function timeNbdcopy(bench: BenchRun): Promise<Metrics> {
  await using stack = new AsyncDisposableStack();
  const target = join(bench.folder, 'nbdcopy.img');
  await emptyImage(target, bench.original.bytes);
  stack.defer(() => rm(target, { force: true }));
  const namespace = await createNamespace('nbdcopy');
  stack.defer(() => namespace.remove());
  const [command = '', ...prefix] = namespace.prefix;
  const server = await startProcess({
    name: 'nbdkit',
    command,
    args: [...prefix, debianTool('nbdkit'), '--foreground', '--port', String(PORT), 'file', target],
    logFile: join(bench.folder, 'nbdcopy.log'),
    ready: async () => (await namespace.listens(PORT)) || undefined,
    readyWithinMs: READY_MS,
  });
  stack.defer(() => server.stop());
  const { result, metrics } = await metered({ namespace, pids: { server: server.pid } }, () =>
    timed({
      prefix: namespace.prefix,
      command: debianTool('nbdcopy'),
      args: [bench.image, `nbd://127.0.0.1:${PORT}`],
      folder: bench.folder,
      signal: bench.signal,
    }),
  );
  const isSame = (await sha256OfFile(target)) === (await sha256OfFile(bench.image));
  if (!isSame) throw new Error('nbdcopy copied other bytes than the disk holds');
  const { wallSeconds, cpuSeconds, rssBytes } = result;
  return { ...metrics, wallSeconds, clientCpuSeconds: cpuSeconds, clientRssBytes: rssBytes };
}
