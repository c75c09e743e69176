/**
 * `npm run fuzz`: mutated and forged bytes for everything in the data plane that reads bytes from outside.
 *
 *   --inputs N      in all (default 1000000)
 *   --seed N        repeat a run (default: random, printed)
 *   --target NAME   this one only
 *   --index N       with --target and --seed: this one input only, and how it ended
 *
 * A finding is a crash, a refusal without name, something accepted that must not be, more memory asked for than the
 * target's bound, or no end within a minute of work. Its input is kept, as it was and minimised. Exit code 1 when there is one.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { repositoryRoot } from '../lab/tools/cache.ts';
import { fuzz } from '../test/dataplane/fuzz/run.ts';
import type { FuzzFinding, FuzzResult } from '../test/dataplane/fuzz/run.ts';
import { inputOf } from '../test/dataplane/fuzz/target.ts';
import type { FuzzTarget } from '../test/dataplane/fuzz/target.ts';
import { fuzzTargets } from '../test/dataplane/fuzz/targets.ts';
import type { FuzzOrder, FuzzReport } from '../test/dataplane/fuzz/worker.ts';
import { tell as tellError } from './run.ts';

/** Of the processor, so that a machine that has no time for us is not taken for a hang. */
const HANG_CPU_MS = 60_000;
/** Of the clock: nobody computes and nobody answers. */
const SILENCE_MS = 900_000;
const LOOK_MS = 1_000;
const HEAP_MIB_MAX = 256;
const folder = path.join(repositoryRoot, '.cache/fuzz');
const tell = (line: string) => void process.stdout.write(`${line}\n`);

const { values } = parseArgs({
  options: {
    inputs: { type: 'string', default: '1000000' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 31)) },
    target: { type: 'string' },
    index: { type: 'string' },
  },
});

try {
  const seed = wholeNumber('seed', values.seed);
  const targets = fuzzTargets.filter(({ name }) => values.target === undefined || name === values.target);
  if (targets.length === 0) {
    throw new Error(`--target takes ${fuzzTargets.map(({ name }) => `"${name}"`).join(', ')}`);
  }
  process.exitCode =
    values.index === undefined
      ? await fuzzAll(targets, seed, wholeNumber('inputs', values.inputs))
      : await repeat(targets, seed, wholeNumber('index', values.index));
} catch (error) {
  tellError(error);
  process.exitCode = 1;
}

async function fuzzAll(targets: readonly FuzzTarget[], seed: number, inputs: number): Promise<number> {
  tell(`fuzz: seed ${seed}, ${number(inputs)} inputs`);
  tell(row('target', 'inputs', 'per second', 'accepted', 'refusals', 'memory for one'));
  const shares = targets.reduce((sum, { share }) => sum + share, 0);
  const findings: FuzzFinding[] = [];
  let done = 0;
  let rest = inputs;
  for (const [index, target] of targets.entries()) {
    const isLast = index === targets.length - 1;
    const part = isLast ? rest : Math.round((inputs * target.share) / shares);
    rest -= part;
    const result = await inThread(target, seed, part);
    done += result.inputs;
    findings.push(...result.findings);
    tell(resultRow(result));
  }
  for (const finding of findings) await keep(finding, seed);
  const rssMiB = Math.round(process.resourceUsage().maxRSS / 1024);
  tell(`${number(done)} inputs, ${findings.length} findings, at most ${rssMiB} MiB resident (seed ${seed})`);
  return findings.length === 0 ? 0 : 1;
}

/** A thread that dies or hangs is a finding of the input it had. */
async function inThread(target: FuzzTarget, seed: number, inputs: number): Promise<FuzzResult> {
  const progress = new Int32Array(new SharedArrayBuffer(4));
  const order: FuzzOrder = { target: target.name, seed, inputs, progress };
  const worker = new Worker(new URL('../test/dataplane/fuzz/worker.ts', import.meta.url), {
    workerData: order,
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MIB_MAX },
  });
  const startedAt = performance.now();
  const ended = Promise.withResolvers<FuzzReport>();
  worker.on('message', (report: FuzzReport) => ended.resolve(report));
  worker.on('error', (error) => ended.resolve({ crash: String(error) }));
  const clock = watchForHang(progress, () => ended.resolve({ crash: 'it does not come to an end' }));
  const report = await ended.promise;
  clearInterval(clock);
  await worker.terminate();
  if (!('crash' in report)) return report;
  const index = Atomics.load(progress, 0);
  const input = inputOf(target, seed, index);
  const finding = { target: target.name, index, what: report.crash, input, minimised: input };
  return {
    target: target.name,
    inputs: index + 1,
    milliseconds: performance.now() - startedAt,
    outcomes: new Map(),
    bufferBytes: 0,
    findings: [finding],
  };
}

function watchForHang(progress: Int32Array, onHang: () => void): NodeJS.Timeout {
  let seen = -1;
  let cpu = process.cpuUsage();
  let since = performance.now();
  return setInterval(() => {
    const now = Atomics.load(progress, 0);
    if (now !== seen) {
      cpu = process.cpuUsage();
      since = performance.now();
    }
    seen = now;
    const { user, system } = process.cpuUsage(cpu);
    if ((user + system) / 1000 > HANG_CPU_MS || performance.now() - since > SILENCE_MS) onHang();
  }, LOOK_MS);
}

async function repeat(targets: readonly FuzzTarget[], seed: number, index: number): Promise<number> {
  const [target] = targets;
  if (target === undefined || targets.length > 1) throw new Error('--index wants a --target');
  const only = { ...target, input: () => inputOf(target, seed, index) };
  const { outcomes, findings } = await fuzz(only, { seed, inputs: 1 });
  for (const finding of findings) await keep({ ...finding, index }, seed);
  tell([...outcomes.keys()].join('\n'));
  return findings.length === 0 ? 0 : 1;
}

async function keep(finding: FuzzFinding, seed: number): Promise<void> {
  const name = `${finding.target.replaceAll(' ', '-')}-${seed}-${finding.index}`;
  await mkdir(folder, { recursive: true });
  await writeFile(path.join(folder, `${name}.bin`), finding.input);
  await writeFile(path.join(folder, `${name}.min.bin`), finding.minimised);
  tell(`finding: ${finding.target}, input ${finding.index}: ${finding.what}`);
  tell(
    `  ${path.join(folder, name)}.bin; again: --target "${finding.target}" --seed ${seed} --index ${finding.index}`,
  );
}

function resultRow({ target, inputs, milliseconds, outcomes, bufferBytes }: FuzzResult): string {
  const accepted = outcomes.get('accepted') ?? 0;
  const refusals = outcomes.size - (accepted > 0 ? 1 : 0);
  const perSecond = Math.round((inputs * 1000) / milliseconds);
  const kib = `${number(Math.ceil(bufferBytes / 1024))} KiB`;
  return row(target, number(inputs), number(perSecond), number(accepted), String(refusals), kib);
}

function row(name: string, ...cells: readonly string[]): string {
  return `${name.padEnd(28)}${cells.map((cell) => cell.padStart(15)).join('')}`;
}

function number(value: number): string {
  return value.toLocaleString('en-US');
}

function wholeNumber(option: string, text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= 0) return value;
  throw new Error(`--${option} takes a whole number, not "${text}"`);
}
