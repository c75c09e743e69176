/**
 * How long the parts of a run may take, from what earlier runs took. A machine that has moved often enough has its own
 * durations; another one is taken to be like all that made the same move. What no run has shown is assumed and said.
 */
import type { SeededRandom } from '../seeded-random.ts';
import type { PlanRunKind, PlanStep, StepAction } from './plan.ts';
import { always, resampled, type Distribution } from './resample.ts';
import type { MovePhase, RunShape, ShapeMember } from './simulated-run.ts';
import { stepsOfRun } from './member-steps.ts';

/** Fewer say too little about spread. */
const SAMPLES_MIN = 3;

/** One move of one machine, in seconds. */
export interface MoveTimes {
  readonly whole: number;
  /** From its begin until its network interface was made; absent: not a move with this part. */
  readonly prepare?: number;
  /** From there until it was over. */
  readonly start?: number;
}

/** What earlier runs took; the newest are enough. */
export interface PastDurations {
  /** Moves of this kind, by item. */
  readonly ofItem: ReadonlyMap<string, readonly MoveTimes[]>;
  /** Moves of this kind, of any machine. */
  readonly ofAny: readonly MoveTimes[];
  /** Steps of this plan in runs of this kind, by name. */
  readonly ofStep: ReadonlyMap<string, readonly number[]>;
}

export interface DurationModel {
  step(step: PlanStep, random: SeededRandom): number;
  machine(member: ShapeMember, phase: MovePhase, random: SeededRandom): number;
  /** What stands on too few earlier runs, or on none; one line each. */
  readonly assumptions: readonly string[];
  /** Every machine and step has an earlier run behind it, were it another machine's. */
  readonly isObserved: boolean;
}

/** Seconds of a move that no machine has made yet. From drills of the practice ground and Azure's own times: an order of magnitude. */
const assumedMoves: Readonly<Record<PlanRunKind, Required<MoveTimes>>> = {
  test: { whole: 360, prepare: 240, start: 120 },
  cleanup: { whole: 180, prepare: 0, start: 180 },
  failover: { whole: 600, prepare: 480, start: 120 },
  commit: { whole: 60, prepare: 0, start: 60 },
  reprotect: { whole: 1_800, prepare: 0, start: 1_800 },
  failback: { whole: 900, prepare: 0, start: 900 },
  reEnable: { whole: 120, prepare: 0, start: 120 },
};

/** Machines named in one line. */
const NAMES_TOLD = 5;

export function durationModel(
  shape: RunShape,
  past: PastDurations,
  reached: ReadonlySet<string>,
): DurationModel {
  const moves = moveModel(shape, past, reached);
  const steps = stepModel(shape, past);
  const nothing = always(0);
  return {
    step: ({ name }, random) => (steps.byName.get(name) ?? nothing)(random),
    machine: ({ itemId }, phase, random) => (moves.byItem.get(itemId)?.[phase] ?? nothing)(random),
    assumptions: [...moves.assumptions, ...steps.assumptions],
    isObserved: moves.isObserved && steps.isObserved,
  };
}

type MoveDistributions = Readonly<Record<MovePhase, Distribution>>;

function moveModel(
  { kind, members }: RunShape,
  { ofItem, ofAny }: PastDurations,
  reached: ReadonlySet<string>,
) {
  const shared = ofAny.length === 0 ? alwaysOf(assumedMoves[kind]) : distributionsOf(ofAny);
  const byItem = new Map<string, MoveDistributions>();
  const borrowed: string[] = [];
  for (const { itemId, machineName } of members) {
    const own = ofItem.get(itemId) ?? [];
    if (reached.has(itemId)) continue;
    if (own.length < SAMPLES_MIN) borrowed.push(machineName);
    byItem.set(itemId, own.length < SAMPLES_MIN ? shared : distributionsOf(own));
  }
  const { whole } = assumedMoves[kind];
  const source =
    ofAny.length === 0
      ? `no machine has made this move before: assumed to take ${whole} s each`
      : `fewer than ${SAMPLES_MIN} moves of their own: taken to be like the last ${ofAny.length} of any machine`;
  const assumptions = borrowed.length === 0 ? [] : [`${listed(borrowed)}: ${source}`];
  const idle = members.filter(({ itemId }) => reached.has(itemId)).map(({ machineName }) => machineName);
  if (idle.length > 0) assumptions.push(`${listed(idle)}: there already, takes no time`);
  return { byItem, assumptions, isObserved: ofAny.length > 0 || borrowed.length === 0 };
}

function stepModel(shape: RunShape, { ofStep }: PastDurations) {
  const byName = new Map<string, Distribution>();
  const assumptions: string[] = [];
  let isObserved = true;
  for (const { name, does } of stepsOfRun(shape)) {
    const own = ofStep.get(name) ?? [];
    const isKnown = own.length > 0;
    byName.set(name, isKnown ? resampled(own) : always(does.kind === 'wait' ? does.seconds : 0));
    if (does.kind === 'wait' || own.length >= SAMPLES_MIN) continue;
    isObserved &&= isKnown;
    assumptions.push(
      isKnown ? `step ${name}: from ${own.length} earlier runs only` : `step ${name}: ${unknown(does)}`,
    );
  }
  return { byName, assumptions, isObserved };
}

function unknown({ kind }: StepAction): string {
  const waits = kind === 'manual' ? 'nobody has been asked yet, and how long people take is not known' : null;
  return `${waits ?? 'it has not run yet'}: assumed to take no time`;
}

function alwaysOf(times: Required<MoveTimes>): MoveDistributions {
  return { whole: always(times.whole), prepare: always(times.prepare), start: always(times.start) };
}

/** A move without the two parts counts as preparing. */
function distributionsOf(times: readonly MoveTimes[]): MoveDistributions {
  return {
    whole: resampled(times.map(({ whole }) => whole)),
    prepare: resampled(times.map(({ whole, prepare = whole }) => prepare)),
    start: resampled(times.map(({ start = 0 }) => start)),
  };
}

function listed(names: readonly string[]): string {
  const more = names.length - NAMES_TOLD;
  const told = names.slice(0, NAMES_TOLD).join(', ');
  return more > 0 ? `${told} and ${more} more` : told;
}
