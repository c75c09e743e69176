/** What the command line asks for. */
import { parseArgs } from 'node:util';

export interface BenchOptions {
  /** Names of scenarios; empty: all of them. */
  readonly only: readonly string[];
  readonly runs: number;
  readonly quick: boolean;
  readonly plot: boolean;
  readonly list: boolean;
  readonly help: boolean;
  readonly churnMinutes: number;
  readonly seed: number;
  readonly diskMiB: number;
}

const DEFAULTS = { runs: 3, churnMinutes: 10, seed: 7, diskMiB: 1024 } as const;
const QUICK = { runs: 1, churnMinutes: 0.25, diskMiB: 256 } as const;
/** Never smaller: one percent of it has to be many pieces. */
const DISK_MIB = { min: 64, max: 4096 } as const;

export const help = `npm run bench -- [options]

Measures our data plane beside rclone, restic, nbdcopy and dd, side by side in one run, prints one table of ratios against
the goals, and appends it as JSON lines to bench/results/. Needs root on a Debian machine (network namespaces) and about
7 GiB of free RAM disk.

  --only NAME          this part only; may be repeated (names: --list)
  --runs N             runs of each contender, the best counts (default ${DEFAULTS.runs})
  --quick              a disk of ${QUICK.diskMiB} MiB, one run, churn of 15 s: for development, results apart
  --churn-minutes N    how long the churn row takes (default ${DEFAULTS.churnMinutes})
  --disk-mib N         size of the test disk (default ${DEFAULTS.diskMiB})
  --seed N             of the disk and of what changes on it (default ${DEFAULTS.seed})
  --plot               draws the newest results instead: bench/results/bench.svg and churn.svg
  --list               says what can be measured
  --help               this text

Example: three runs of first copy and deltas, then the drawing

  sudo npm run bench -- --only copy --only floor --runs 3
  npm run bench -- --plot
`;

/** @throws Error that names the option and what it may be */
export function parseOptions(args: readonly string[]): BenchOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: 'string', multiple: true },
      runs: { type: 'string' },
      quick: { type: 'boolean', default: false },
      plot: { type: 'boolean', default: false },
      list: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
      'churn-minutes': { type: 'string' },
      'disk-mib': { type: 'string' },
      seed: { type: 'string' },
    },
  });
  const defaults = values.quick ? { ...DEFAULTS, ...QUICK } : DEFAULTS;
  return {
    only: values.only ?? [],
    quick: values.quick,
    plot: values.plot,
    list: values.list,
    help: values.help,
    runs: whole('--runs', values.runs, defaults.runs, { min: 1, max: 100 }),
    churnMinutes: amount('--churn-minutes', values['churn-minutes'], defaults.churnMinutes, {
      min: 0.1,
      max: 1_440,
    }),
    diskMiB: whole('--disk-mib', values['disk-mib'], defaults.diskMiB, DISK_MIB),
    seed: whole('--seed', values.seed, defaults.seed, { min: 0, max: 2 ** 32 }),
  };
}

interface Bounds {
  readonly min: number;
  readonly max: number;
}

function amount(option: string, text: string | undefined, fallback: number, { min, max }: Bounds): number {
  const value = text === undefined ? fallback : Number(text);
  if (text !== '' && value >= min && value <= max) return value;
  throw new Error(`${option} takes a number from ${min} to ${max}, not "${text}"`);
}

function whole(option: string, text: string | undefined, fallback: number, bounds: Bounds): number {
  const value = amount(option, text, fallback, bounds);
  if (Number.isInteger(value)) return value;
  throw new Error(`${option} takes a whole number, not "${text}"`);
}
