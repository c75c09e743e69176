/** `npm run bench`: the data plane beside its peers, in one run and one table; see docs/bench.md. */
import { existsSync, readdirSync } from 'node:fs';
import { mkdir, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { MiB } from '../domain/units.ts';
import { isAlive } from '../lab/processes/pid.ts';
import { repositoryRoot } from '../lab/tools/cache.ts';
import { debianTool, installMissing, type DebianTool } from '../lab/tools/debian.ts';
import { resultsFolder, type BenchRun, type Scenario } from './bench-run.ts';
import { judge } from './goals.ts';
import { copyImage, sha256OfFile, testImage } from './image.ts';
import { circumstancesOf } from './machine.ts';
import { removeAbandoned } from './netns.ts';
import { help, parseOptions, type BenchOptions } from './options.ts';
import { drawNewest } from './plot.ts';
import { appendResults } from './results.ts';
import type { Row } from './rows.ts';
import { scenarios } from './scenarios.ts';
import { renderStages } from './stages.ts';
import { renderTable } from './table.ts';
import { issueCertificate } from './tls.ts';

const RAM_DISK = '/dev/shm';
const FOLDER = 'switchback-bench';
const ADDRESSES = ['127.0.0.1', '10.99.0.2'];
/** On the way home there are at once: the image, its replica, the Azure disk, the disk at home and the journals of three rounds. */
const RAM_DISK_IMAGES = 7;
const SMALL_DISK_MIB = 256;
const needed: readonly DebianTool[] = ['nbdkit', 'nbdcopy', 'mke2fs', 'ip', 'rclone', 'restic'];
const neededByOurs: readonly DebianTool[] = ['nbdkit', 'mke2fs', 'ip'];
const imagesFolder = join(repositoryRoot, '.cache/bench');

const tell = (line: string) => void process.stderr.write(`· ${line}\n`);

try {
  const options = parseOptions(process.argv.slice(2));
  if (options.help) process.stdout.write(help);
  else if (options.list) process.stdout.write(listed());
  else if (options.plot) for (const file of await drawNewest(resultsFolder)) tell(`drew ${file}`);
  else await measure(options, chosen(options));
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exitCode = 1;
}

function listed(): string {
  return scenarios.map(({ name, what }) => `${name.padEnd(10)} ${what}\n`).join('');
}

function chosen({ only }: BenchOptions): readonly Scenario[] {
  const unknown = only.find((name) => !scenarios.some((scenario) => scenario.name === name));
  if (unknown !== undefined) {
    throw new Error(`--only ${unknown}: there are ${scenarios.map(({ name }) => name).join(', ')}`);
  }
  return only.length === 0 ? scenarios : scenarios.filter(({ name }) => only.includes(name));
}

async function measure(options: BenchOptions, wanted: readonly Scenario[]): Promise<void> {
  requireRoot();
  await installMissing(needed);
  for (const tool of neededByOurs) debianTool(tool);
  await sweep();
  await using stack = new AsyncDisposableStack();
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => stop.abort(new Error(`stopped by ${signal}`)));
  }
  const original = await testImage(imagesFolder, options.seed, options.diskMiB);
  const small = await testImage(imagesFolder, options.seed, Math.min(options.diskMiB, SMALL_DISK_MIB));
  await requireRoom(original.bytes);
  const circumstances = await circumstancesOf(options, original);
  warnOfLoad(circumstances.load[0] ?? 0, circumstances.machine.cores);
  const rows: Row[] = [];
  const bench: BenchRun = {
    options,
    folder: await ownFolder(RAM_DISK, stack),
    diskFolder: await ownFolder(imagesFolder, stack),
    original,
    small,
    image: join(RAM_DISK, `${FOLDER}-${process.pid}`, 'disk.img'),
    tls: await issueCertificate(join(RAM_DISK, `${FOLDER}-${process.pid}`), ADDRESSES),
    signal: stop.signal,
    tell,
    record: (row) => rows.push(row),
  };
  await copyImage(original.file, bench.image);
  for (const scenario of wanted) {
    try {
      await scenario.run(bench);
      await requireUnchanged(bench);
    } catch (error) {
      stop.signal.throwIfAborted();
      tell(`${scenario.name} FAILED: ${(error as Error).message}`);
      process.exitCode = 1;
      await copyImage(original.file, bench.image);
    }
  }
  const verdicts = judge(rows);
  const file = join(resultsFolder, options.quick ? 'quick.jsonl' : 'results.jsonl');
  await appendResults(file, circumstances, rows, verdicts);
  process.stdout.write(
    `${renderTable(
      rows.filter(({ row }) => row !== 'stages'),
      verdicts,
    )}\n`,
  );
  process.stdout.write(renderStages(rows));
  tell(`appended to ${file}; load average at the start ${circumstances.load.join(' ')}`);
}

function requireRoot(): void {
  if (process.getuid?.() === 0) return;
  throw new Error(
    'each contender gets a network namespace of its own, which needs root on Linux. Run: sudo npm run bench',
  );
}

/** What killed runs left. */
async function sweep(): Promise<void> {
  await removeAbandoned();
  for (const folder of [RAM_DISK, imagesFolder]) {
    for (const name of existsSync(folder) ? readdirSync(folder) : []) {
      const pid = Number(/^switchback-bench-(\d+)$/.exec(name)?.[1] ?? Number.NaN);
      if (Number.isNaN(pid) || isAlive({ pid, startedTicks: null })) continue;
      await rm(join(folder, name), { recursive: true, force: true });
    }
  }
}

async function requireRoom(diskBytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(RAM_DISK);
  const wantedMiB = Math.ceil((RAM_DISK_IMAGES * diskBytes) / MiB);
  const freeMiB = Math.floor((bavail * bsize) / MiB);
  if (freeMiB >= wantedMiB) return;
  throw new Error(
    `${RAM_DISK} has ${freeMiB} MiB free, ${wantedMiB} are needed. Run: mount -o remount,size=${2 * wantedMiB}m ${RAM_DISK}`,
  );
}

function warnOfLoad(load: number, cores: number): void {
  if (load <= cores / 4) return;
  tell(`the machine is busy (load average ${load} on ${cores} cores): compare ratios and CPU seconds only`);
}

async function ownFolder(parent: string, stack: AsyncDisposableStack): Promise<string> {
  const folder = join(parent, `${FOLDER}-${process.pid}`);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Every scenario puts back what it changed on the shared image. */
async function requireUnchanged({ image, original }: BenchRun): Promise<void> {
  if ((await sha256OfFile(image)) === original.sha256) return;
  throw new Error('the test disk is not what it was: results of this run compare different things');
}
