/** A guest that writes without pause: how old is what is safe, how far behind is the replica, does anything grow? */
import { mkdir, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { KiB, MiB } from '../../domain/units.ts';
import { resultsFolder, type BenchRun, type Scenario } from '../bench-run.ts';
import { scattered, writeChanges } from '../changes.ts';
import { churnMetrics, churnSamples, type ChurnRun, type Cycle, type Memory } from '../churn-facts.ts';
import { formatChurn } from '../churn-plot.ts';
import type { MadePoint } from '../drivers/apply.ts';
import { copyImage, sha256OfFile } from '../image.ts';
import { memoryOf } from '../processes.ts';
import { seededStream } from '../random.ts';
import { metered, peakBytes, withRig, type Rig } from '../rig.ts';
import { OURS, type Metrics } from '../rows.ts';
import { OurSeries } from './our-series.ts';

const MIB_PER_SECOND = 25;
const INTERVAL_MS = 1_000;
const PIECE_BYTES = 64 * KiB;
const LOOK_EVERY_MS = 1_000;
/** The emulator keeps overwritten pages and deleted segments for about ten minutes. */
const KEPT_SHARE = 1.7;

export const churnScenario: Scenario = {
  name: 'churn',
  what: `${MIB_PER_SECOND} MiB/s of writes on one disk, an interval of 1 s: RPO, applier lag, memory over time`,
  async run(bench) {
    const { churnMinutes } = bench.options;
    bench.tell(`churn: ${churnMinutes} minutes`);
    await requireRoom(bench);
    const label = 'churn';
    const { run, metrics } = await withRig(bench, { label, tls: true, folder: bench.diskFolder }, (rig) =>
      churn(bench, rig, churnMinutes * 60_000),
    );
    await copyImage(bench.original.file, bench.image);
    const file = await keepSamples(bench, run);
    const facts = { ...metrics, ...churnMetrics(run) };
    const title = `${MIB_PER_SECOND} MiB/s of writes, interval 1 s, ${churnMinutes} min`;
    bench.record({
      row: 'churn',
      title,
      contenders: { [OURS]: { runs: [facts] } },
      notes: notesOf(facts),
      file,
    });
  },
};

async function requireRoom({ options, diskFolder }: BenchRun): Promise<void> {
  const wantedMiB = Math.ceil(options.churnMinutes * 60 * MIB_PER_SECOND * KEPT_SHARE);
  const { bavail, bsize } = await statfs(diskFolder);
  const freeMiB = Math.floor((bavail * bsize) / MiB);
  if (freeMiB >= wantedMiB) return;
  throw new Error(
    `${diskFolder} has ${freeMiB} MiB free, the churn row needs ${wantedMiB}. Run it with a smaller --churn-minutes`,
  );
}

async function churn(
  bench: BenchRun,
  rig: Rig,
  durationMs: number,
): Promise<{ readonly run: ChurnRun; readonly metrics: Metrics }> {
  const series = await OurSeries.open(bench, rig, 'point');
  await series.first();
  const following = series.follow(null);
  const watch = watchMemory(series, rig);
  const probe = {
    namespace: rig.namespace,
    pids: { server: rig.azurite.pid, ship: series.shipper.pid, apply: series.applier.pid },
  };
  try {
    const { result: cycles, metrics } = await metered(probe, () => write(bench, series, durationMs));
    await series.applier.call('finishAt', { barrierNumber: series.barriers });
    const { points, waitingMax } = await following;
    await series.verify(await sha256OfFile(bench.image));
    const { shipCpuSeconds = 0, applyCpuSeconds = 0 } = metrics;
    return {
      run: { cycles, applied: points.map(appliedOf), memory: watch.memory },
      metrics: {
        ...metrics,
        clientCpuSeconds: shipCpuSeconds + applyCpuSeconds,
        waitingBarriersMax: waitingMax,
        clientRssBytes: Math.max(peakBytes(series.shipper.pid), peakBytes(series.applier.pid)),
      },
    };
  } finally {
    watch.stop();
  }
}

/** Each cycle: what the guest wrote since the last one reaches the frozen disk, is shipped, and the next one is due. */
async function write(bench: BenchRun, series: OurSeries, durationMs: number): Promise<Cycle[]> {
  const { seed } = bench.options;
  const places = seededStream(seed, 'churn places');
  const bytes = seededStream(seed, 'churn bytes');
  const cycles: Cycle[] = [];
  const begun = performance.now();
  for (let frozen = begun; frozen - begun < durationMs;) {
    bench.signal.throwIfAborted();
    await sleep(Math.max(0, frozen + INTERVAL_MS - performance.now()));
    const seconds = (performance.now() - frozen) / 1_000;
    frozen = performance.now();
    const most = Math.floor(bench.original.bytes / PIECE_BYTES);
    const count = Math.min(most, Math.round((seconds * MIB_PER_SECOND * MiB) / PIECE_BYTES));
    const wanted = { count, length: PIECE_BYTES, diskBytes: bench.original.bytes };
    const changed = scattered(places, wanted);
    await writeChanges(bench.image, changed, bytes);
    const sourceAt = Date.now();
    const { endedAt } = await series.ship('delta', changed);
    cycles.push({ sourceAt, durableAt: endedAt });
  }
  return cycles;
}

function watchMemory(series: OurSeries, rig: Rig): { readonly memory: Memory[]; stop(): void } {
  const memory: Memory[] = [];
  const timer = setInterval(() => {
    memory.push({
      at: Date.now(),
      shipping: memoryOf(series.shipper.pid).rssBytes,
      applying: memoryOf(series.applier.pid).rssBytes,
      nbdServer: memoryOf(series.sourcePid).rssBytes,
      emulator: memoryOf(rig.azurite.pid).rssBytes,
    });
  }, LOOK_EVERY_MS);
  return { memory, stop: () => clearInterval(timer) };
}

function appliedOf({ durableTime, processedTime }: MadePoint) {
  return { durableAt: Date.parse(durableTime), processedAt: Date.parse(processedTime) };
}

async function keepSamples({ options }: BenchRun, run: ChurnRun): Promise<string> {
  const name = options.quick
    ? 'churn-quick.csv'
    : `churn-${new Date().toISOString().replaceAll(':', '')}.csv`;
  await mkdir(resultsFolder, { recursive: true });
  await writeFile(join(resultsFolder, name), formatChurn(churnSamples(run)));
  return name;
}

function notesOf(facts: Metrics): string[] {
  const seconds = (name: string) =>
    ['P50', 'P99', 'Max']
      .map((each) => `${each.toLowerCase()} ${(facts[`${name}${each}Seconds`] ?? 0).toFixed(2)} s`)
      .join(', ');
  return [`RPO ${seconds('rpo')}; from durable to point ${seconds('lag')}`];
}
