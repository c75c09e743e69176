/** Goes round and round with one machine, killing on the way, and looks at everything after each operation. */
import type { Job } from '../../api/jobs.ts';
import type { Auditor } from '../../test/e2e/support/auditor.ts';
import { make, moves, type MoveName, type Place, type Trip } from '../../test/e2e/support/moves.ts';
import { stepsOf } from '../../test/e2e/support/steps.ts';
import { strike, struckIn, victims, type Aim, type Kill } from '../../test/e2e/support/strike.ts';
import { movesFrom, type Plan, type Target } from './plan.ts';
import type { Tally } from './tally.ts';

export interface CrashRun {
  readonly trip: Trip;
  readonly auditor: Auditor;
  readonly plan: Plan;
  readonly tally: Tally;
  /** How long steps took in ms when last seen, by move and step. */
  readonly lasted: Map<string, number>;
  readonly tell: (line: string) => void;
}

/** Kills of one run of an operation; the next falls when the one before runs again. */
const KILLS_PER_RUN = 3;
/** Misses after which a step is struck by the clock of its predecessor. */
const SEEN_MISSES_MAX = 2;
const APART_MS_MAX = 2_000;
/** Steps below do no more than think: they end in the workflow task that begins them. */
const INSTANT_MS = 5;

interface Struck {
  readonly target: Target;
  readonly kills: readonly Kill[];
}

/** Until everything is covered or time is over. Answers where the item is. */
export async function exhaust(run: CrashRun, from: Place, until: number): Promise<Place> {
  let place = from;
  for (;;) {
    const move = run.plan.moveFrom(place);
    if (move === undefined || Date.now() >= until || run.tally.failures.length > 0) return place;
    const targets = run.plan.next(move, KILLS_PER_RUN);
    const struck: Struck[] = [];
    const job = await attempt(run, move, async (id) => {
      for (const target of targets) {
        const kills = await strike(run.trip.flow, id, aimAt(run, target));
        struck.push({ target, kills });
      }
    });
    run.tally.kills += struck.flatMap(({ kills }) => kills).length;
    if (job === undefined) return place;
    settle(run, job, struck);
    run.tell(`${lineOf(run, move, job)}  ${struck.map((each) => words(job, each)).join(', ')}`);
    place = moves[move].to;
  }
}

/** Two kills close together at a seeded step of a seeded operation. */
export async function pairs(run: CrashRun, from: Place, until: number): Promise<void> {
  const { random, flow } = run.trip;
  let place = from;
  while (run.tally.pairs < run.tally.pairsWanted && Date.now() < until && run.tally.failures.length === 0) {
    const possible = movesFrom(place);
    const move = possible[random.below(possible.length)];
    if (move === undefined) return;
    const steps = stepsOf(move);
    const step = steps[random.below(steps.length)] ?? '';
    const apartMs = random.below(APART_MS_MAX);
    const both = random.shuffled(victims).slice(0, 2);
    let kills: readonly Kill[] = [];
    const job = await attempt(run, move, async (id) => {
      kills = await strike(flow, id, { step, victims: both, apartMs });
    });
    run.tally.kills += kills.length;
    if (job === undefined) return;
    if (kills.length > 0) run.tally.pairs += 1;
    run.tally.killsInStep += kills.filter((kill) => struckIn(job, step, kill)).length;
    const told =
      kills.length === 0 ? 'over before it was seen' : `${both.join(' and ')}, ${apartMs} ms apart`;
    run.tell(`${lineOf(run, move, job)}  ${step}: ${told}`);
    place = moves[move].to;
  }
}

/** Undefined when it did not end well: the tally says why. */
async function attempt(
  { trip, auditor, tally, tell }: CrashRun,
  move: MoveName,
  meanwhile: (job: string) => Promise<void>,
): Promise<Job | undefined> {
  try {
    const job = await make(trip, move, meanwhile);
    for (const { kind, what } of await auditor.look()) tell(`  ✗ ${kind}: ${what}`);
    tally.finished += 1;
    return job;
  } catch (error) {
    tally.failures.push(`${move}: ${(error as Error).message}`);
    return undefined;
  }
}

function aimAt({ plan, lasted }: CrashRun, target: Target): Aim {
  const { move, step, victim } = target;
  const steps = stepsOf(move);
  const before = steps[steps.indexOf(step) - 1];
  const ms = lasted.get(`${move} ${before}`);
  const isBlind = plan.tries(target) >= SEEN_MISSES_MAX && before !== undefined && ms !== undefined;
  return { step, victims: [victim], ...(isBlind ? { ahead: { step: before, ms } } : {}) };
}

/** By the job's record: a kill counts for the step that ran, whichever was aimed at. */
function settle({ plan, tally, lasted }: CrashRun, job: Job, struck: readonly Struck[]): void {
  for (const { target, kills } of struck) {
    const { move, step } = target;
    for (const kill of kills) {
      for (const each of stepsOf(move)) {
        if (struckIn(job, each, kill)) plan.hit({ move, step: each, victim: kill.victim });
      }
      if (struckIn(job, step, kill)) tally.killsInStep += 1;
    }
    // Steps that passed while an earlier victim came back were not missed.
    if (target === struck[0]?.target && !kills.some((kill) => struckIn(job, step, kill))) {
      if (msOf(job, step) < INSTANT_MS) plan.isInstant(target);
      else plan.missed(target);
    }
    if (kills.length > 0) continue;
    for (const { id, startedAt, endedAt } of job.tasks) {
      if (startedAt === undefined || endedAt === undefined) continue;
      lasted.set(`${move} ${id}`, Date.parse(endedAt) - Date.parse(startedAt));
    }
  }
}

/** Infinity: it did not run to its end. */
function msOf(job: Job, step: string): number {
  const task = job.tasks.find(({ id }) => id === step);
  if (task?.startedAt === undefined || task.endedAt === undefined) return Infinity;
  return Date.parse(task.endedAt) - Date.parse(task.startedAt);
}

function words(job: Job, { target, kills }: Struck): string {
  const { step, victim } = target;
  if (kills.length === 0) return `${victim} at ${step} (over before it was seen)`;
  return `${victim} at ${step}${kills.some((kill) => struckIn(job, step, kill)) ? '' : ' (just after it)'}`;
}

function lineOf({ tally, plan }: CrashRun, move: MoveName, { startedAt, endedAt }: Job): string {
  const seconds = (Date.parse(endedAt ?? startedAt) - Date.parse(startedAt)) / 1000;
  const minutes = ((Date.now() - tally.startedAt) / 60_000).toFixed(1);
  return `${minutes.padStart(5)} min  ${String(plan.covered).padStart(4)}/${plan.total}  ${move} ${seconds.toFixed(1)} s`;
}
