/** What the times of a churn run say: age of what is safe, distance of the replica, growth. */
import { MiB } from '../domain/units.ts';
import type { ChurnSample } from './churn-plot.ts';
import type { Metrics } from './rows.ts';
import { growth, percentile } from './statistics.ts';

/** Milliseconds since 1970. */
export interface Cycle {
  /** When the disk was frozen. */
  readonly sourceAt: number;
  /** When its barrier was in the account. */
  readonly durableAt: number;
}

/** Of one barrier, in milliseconds since 1970. */
export interface Applied {
  readonly durableAt: number;
  readonly processedAt: number;
}

/** Resident bytes of each process at one time. */
export interface Memory {
  readonly at: number;
  readonly shipping: number;
  readonly applying: number;
  readonly nbdServer: number;
  readonly emulator: number;
}

export interface ChurnRun {
  /** In order; the first is what the run began with. */
  readonly cycles: readonly Cycle[];
  readonly applied: readonly Applied[];
  readonly memory: readonly Memory[];
}

const LOOK_EVERY_MS = 100;

/** Seconds between a time and the state of the disk that is safe then; null: nothing is. */
export function rpoAt(cycles: readonly Cycle[], at: number): number | null {
  const newest = cycles.findLast(({ durableAt }) => durableAt <= at);
  return newest === undefined ? null : (at - newest.sourceAt) / 1_000;
}

/** Seconds the oldest durable barrier has been waiting for its point at that time. */
export function lagAt(applied: readonly Applied[], at: number): number {
  const waiting = applied.find(({ durableAt, processedAt }) => durableAt <= at && processedAt > at);
  return waiting === undefined ? 0 : (at - waiting.durableAt) / 1_000;
}

export function churnMetrics({ cycles, applied, memory }: ChurnRun): Metrics {
  const [from, to] = [cycles[0]?.durableAt ?? 0, cycles.at(-1)?.durableAt ?? 0];
  const looks = Array.from({ length: Math.floor((to - from) / LOOK_EVERY_MS) }, (_, index) =>
    rpoAt(cycles, from + index * LOOK_EVERY_MS),
  );
  const ages = looks.filter((age) => age !== null);
  const lags = applied.map(({ durableAt, processedAt }) => (processedAt - durableAt) / 1_000);
  const rss = [memory.map(({ shipping }) => shipping), memory.map(({ applying }) => applying)];
  return {
    cycles: cycles.length,
    ...spread('rpo', ages),
    ...spread('lag', lags),
    lagGrowth: growth(lags),
    rssGrowth: Math.max(...rss.map(growth)),
  };
}

function spread(name: string, values: readonly number[]): Metrics {
  return {
    [`${name}P50Seconds`]: percentile(values, 0.5),
    [`${name}P99Seconds`]: percentile(values, 0.99),
    [`${name}MaxSeconds`]: Math.max(0, ...values),
  };
}

/** One for each look at the memory. */
export function churnSamples({ cycles, applied, memory }: ChurnRun): ChurnSample[] {
  const from = memory[0]?.at ?? 0;
  return memory.map(({ at, shipping, applying, nbdServer, emulator }) => ({
    seconds: (at - from) / 1_000,
    shippingRssMiB: shipping / MiB,
    applyingRssMiB: applying / MiB,
    nbdServerRssMiB: nbdServer / MiB,
    emulatorRssMiB: emulator / MiB,
    rpoSeconds: rpoAt(cycles, at) ?? 0,
    lagSeconds: lagAt(applied, at),
  }));
}
