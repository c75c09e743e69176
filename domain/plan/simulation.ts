/**
 * A run of a plan, played many times over with durations drawn from earlier runs (Monte Carlo over the plan's network,
 * as after PERT: R. M. Van Slyke, "Monte Carlo Methods and the PERT Problem", Operations Research 11, 1963). Nothing is
 * touched and nothing fails: what an operator's decisions or failures add is in it only as far as earlier runs had it.
 */
import { seededRandom } from '../seeded-random.ts';
import type { DurationModel } from './duration-model.ts';
import { stepsOfRun } from './member-steps.ts';
import type { Moment, Part } from './plays.ts';
import { quantile } from './resample.ts';
import { playRun, type RunShape } from './simulated-run.ts';

export interface SimulationOptions {
  readonly seed: number;
  /** How often the run is played, where the bound on work allows it. */
  readonly runs: number;
  /** Parts played in all, two of each machine: some microseconds of processor time each. */
  readonly partsMax: number;
}

export interface Simulation {
  readonly seed: number;
  /** How often the run was played: as asked for, or less for a large plan. */
  readonly runs: number;
  readonly rtoSeconds: Spread;
  readonly criticalPath: CriticalPath;
}

export interface Spread {
  readonly p50: number;
  readonly p90: number;
  readonly min: number;
  readonly max: number;
}

export interface CriticalPath {
  /** Of the repetitions, how many ended by this very chain of steps and groups, 0 to 1. */
  readonly share: number;
  readonly links: readonly CriticalLink[];
}

export interface CriticalLink {
  /** `ready`: the machines of all groups are made ready together. */
  readonly kind: 'step' | 'ready' | 'group';
  /** Of the step or the group; empty for `ready`. */
  readonly name: string;
  /** Of the others: the machine that most often decided when its machines were done. */
  readonly machine?: string;
  /** In how many of all repetitions this step, or this machine, decided when the run ended, 0 to 1. */
  readonly share: number;
}

/** Fewer say nothing about one run in ten. */
const RUNS_MIN = 40;

export function simulatePlan(shape: RunShape, model: DurationModel, options: SimulationOptions): Simulation {
  const repetitions = simulation(shape, model, options);
  for (;;) {
    const { done, value } = repetitions.next();
    if (done === true) return value;
  }
}

/** The same, handed back after every repetition: whoever plays it has other things to do as well. */
export function* simulation(
  shape: RunShape,
  model: DurationModel,
  options: SimulationOptions,
): Generator<void, Simulation, void> {
  const random = seededRandom(options.seed);
  const parts = Math.max(1, 2 * shape.members.length + stepsOfRun(shape).length);
  const runs = Math.min(options.runs, Math.max(RUNS_MIN, Math.floor(options.partsMax / parts)));
  const book = new PathBook();
  const ends: number[] = [];
  for (let count = 0; count < runs; count += 1) {
    const end = playRun(shape, {
      step: (step) => model.step(step, random),
      machine: (member, phase) => model.machine(member, phase, random),
    });
    ends.push(end.seconds);
    book.add(end);
    yield;
  }
  const sorted = ends.toSorted((a, b) => a - b);
  return {
    seed: options.seed,
    runs,
    rtoSeconds: {
      p50: quantile(sorted, 0.5),
      p90: quantile(sorted, 0.9),
      min: sorted[0] ?? 0,
      max: sorted.at(-1) ?? 0,
    },
    criticalPath: book.path(runs),
  };
}

/** Chains that decided, and how often each part of them did. */
class PathBook {
  readonly #chains = new Map<string, { readonly links: readonly Link[]; count: number }>();
  readonly #parts = new Map<string, { readonly part: Part; count: number }>();

  add(end: Moment): void {
    const parts: Part[] = [];
    for (let at: Moment | undefined = end; at !== undefined; at = at.before) {
      if (at.part !== undefined && at.seconds > (at.before?.seconds ?? 0)) parts.unshift(at.part);
    }
    for (const part of parts) countIn(this.#parts, part.id, { part });
    const links = linksOf(parts);
    countIn(this.#chains, JSON.stringify(links), { links });
  }

  path(runs: number): CriticalPath {
    const [chain] = [...this.#chains.values()].toSorted((a, b) => b.count - a.count);
    if (chain === undefined) return { share: 0, links: [] };
    return { share: chain.count / runs, links: chain.links.map((link) => this.#told(link, runs)) };
  }

  #told({ kind, name }: Link, runs: number): CriticalLink {
    if (kind === 'step') {
      return { kind, name, share: (this.#parts.get(`step-${name}`)?.count ?? 0) / runs };
    }
    const [most] = [...this.#parts.values()]
      .filter(({ part }) => linkOf(part).kind === kind && linkOf(part).name === name)
      .toSorted((a, b) => b.count - a.count);
    return most === undefined
      ? { kind, name, share: 0 }
      : { kind, name, machine: most.part.name, share: most.count / runs };
  }
}

type Link = Pick<CriticalLink, 'kind' | 'name'>;

/** Machines that waited for each other's room are one link: their group. */
function linksOf(parts: readonly Part[]): Link[] {
  const links = parts.map(linkOf);
  return links.filter(({ kind, name }, index) => {
    const before = links[index - 1];
    return before?.kind !== kind || before.name !== name;
  });
}

function linkOf({ kind, name, group }: Part): Link {
  if (kind === 'step') return { kind, name };
  return group === undefined ? { kind: 'ready', name: '' } : { kind: 'group', name: group };
}

interface Counted {
  count: number;
}

function countIn<T extends Counted>(map: Map<string, T>, key: string, made: Omit<T, 'count'>): void {
  const found = map.get(key);
  if (found === undefined) map.set(key, { ...made, count: 1 } as T);
  else found.count += 1;
}
