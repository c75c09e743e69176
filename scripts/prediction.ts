/**
 * `npm run bench:prediction`: how good the simulation's predictions are, where the truth is known.
 *
 *   --plans N    plans, each with past and drills of its own (default 20)
 *   --past N     earlier runs that the prediction is made from (default 20)
 *   --drills N   drills played after it (default 50)
 *   --seed N     repeats a measurement (default 7)
 *
 * Every machine and step has a log-normal distribution of its own. Past runs and drills draw from it; the prediction knows
 * only what the past runs took. Drills are played by the real workflow in virtual time.
 */
import { parseArgs } from 'node:util';
import { durationModel, type MoveTimes } from '../domain/plan/duration-model.ts';
import { stepsOfRun } from '../domain/plan/member-steps.ts';
import type { PlanStep } from '../domain/plan/plan.ts';
import { quantile } from '../domain/plan/resample.ts';
import { simulatePlan } from '../domain/plan/simulation.ts';
import { seededRandom, type SeededRandom } from '../domain/seeded-random.ts';
import { playInVirtualTime } from '../test/workflows/support/plan-clock.ts';
import { group, members, plan, PlanStage, step } from '../test/workflows/support/plan-stage.ts';

const WITHIN = 0.2;
const SIMULATED_RUNS = 2_000;
const PARTS_MAX = 1_000_000;

const { values } = parseArgs({
  options: {
    plans: { type: 'string', default: '20' },
    past: { type: 'string', default: '20' },
    drills: { type: 'string', default: '50' },
    seed: { type: 'string', default: '7' },
  },
});
const [plans, past, drills, seed] = [whole('plans'), whole('past'), whole('drills'), whole('seed')];
const tell = (line: string) => void process.stdout.write(`${line}\n`);

/** Draws a duration in milliseconds by name: `ready db-1`, `test db-1`, `step dns`. */
type Truth = (what: string) => number;

interface Drill {
  readonly seconds: number;
  readonly p50: number;
  readonly p90: number;
}

tell(`seed ${seed}: ${plans} plans, predicted from ${past} runs each, ${drills} drills each`);
tell('plan  machines  p50      p90      within 20 % of p50  not above p90  median error');
const all: Drill[] = [];
for (let number = 0; number < plans; number += 1) {
  const random = seededRandom(seed + number);
  const shape = drawnShape(random);
  const truth = drawnTruth(random);
  const { p50, p90 } = predicted(shape, truth);
  const played: Drill[] = [];
  for (let drill = 0; drill < drills; drill += 1) {
    played.push({ seconds: await drillSeconds(shape, truth), p50, p90 });
  }
  all.push(...played);
  const name = String(number + 1).padEnd(6);
  const machines = String(shape.members.length).padEnd(10);
  tell(`${name}${machines}${seconds(p50)}${seconds(p90)}${figures(played)}`);
}
tell(`all                              ${figures(all)}`);

function whole(name: keyof typeof values): number {
  const given = values[name];
  if (!/^[1-9]\d{0,6}$/.test(given)) {
    process.stderr.write(`--${name} takes a whole number from 1 to 9999999, not "${given}"\n`);
    process.exit(2);
  }
  return Number(given);
}

function drawnShape(random: SeededRandom) {
  const names = ['database', 'cache', 'application', 'web'];
  const below = (bound: number) => Math.floor(random.uniform() * bound);
  const probe = (name: string): PlanStep => step(`${name}-answers`);
  const groups = names.map((name, index) =>
    group(name, {
      after: index === 0 ? [] : [names[index === 1 ? 0 : index - 1] ?? ''],
      steps: { before: [], after: [probe(name)] },
    }),
  );
  const who = names.flatMap((name) =>
    Array.from({ length: 1 + below(6) }, (_, index) => `${name}-${index}@${name}`),
  );
  const asks = step('may-it-begin', {
    does: { kind: 'manual', text: 'May the drill begin?', approvers: [], onSilence: 'wait' },
  });
  const limits = below(2) === 0 ? {} : { machinesAtOnce: 2 };
  const of = plan(groups, {
    limits,
    steps: { before: [asks], after: [] },
    drill: { cleanupAfterSeconds: 86_400 },
  });
  return { kind: 'test' as const, plan: of, members: members(...who) };
}

/** Medians from seconds to minutes; one in six runs takes more than 1.1 to 1.6 times its median. */
function drawnTruth(random: SeededRandom): Truth {
  const known = new Map<string, { readonly median: number; readonly sigma: number }>();
  return (what) => {
    const scale = what.startsWith('ready') ? 240 : what.startsWith('test') ? 90 : 30;
    const drawn = known.get(what) ?? {
      median: scale * Math.exp(0.5 * random.normal()),
      sigma: 0.1 + 0.4 * random.uniform(),
    };
    known.set(what, drawn);
    return Math.max(1, Math.round(1_000 * drawn.median * Math.exp(drawn.sigma * random.normal())));
  };
}

function predicted(shape: ReturnType<typeof drawnShape>, truth: Truth) {
  const times = (machine: string): MoveTimes => {
    const prepare = truth(`ready ${machine}`) / 1_000;
    const start = truth(`test ${machine}`) / 1_000;
    return { whole: prepare + start, prepare, start };
  };
  const runs = <T>(one: () => T) => Array.from({ length: past }, one);
  const ofItem = new Map(
    shape.members.map(({ itemId, machineName }) => [itemId as string, runs(() => times(machineName))]),
  );
  const ofStep = new Map(
    stepsOfRun(shape).map(({ name }) => [name, runs(() => truth(`step ${name}`) / 1_000)]),
  );
  const model = durationModel(shape, { ofItem, ofAny: [], ofStep }, new Set());
  return simulatePlan(shape, model, { seed, runs: SIMULATED_RUNS, partsMax: PARTS_MAX }).rtoSeconds;
}

async function drillSeconds(shape: ReturnType<typeof drawnShape>, truth: Truth): Promise<number> {
  const stage = new PlanStage();
  try {
    return (await playInVirtualTime(stage, { ...shape, ms: truth })) / 1_000;
  } finally {
    await stage.driver.dispose();
  }
}

function figures(played: readonly Drill[]): string {
  const share = (holds: (drill: Drill) => boolean) =>
    `${((100 * played.filter(holds).length) / played.length).toFixed(1)} %`;
  const errors = played.map((drill) => Math.abs(drill.seconds - drill.p50) / drill.seconds);
  const median = quantile(
    errors.toSorted((a, b) => a - b),
    0.5,
  );
  return [
    share((drill) => Math.abs(drill.seconds - drill.p50) <= WITHIN * drill.p50).padEnd(20),
    share((drill) => drill.seconds <= drill.p90).padEnd(15),
    `${(100 * median).toFixed(1)} %`,
  ].join('');
}

function seconds(value: number): string {
  return `${value.toFixed(0)} s`.padEnd(9);
}
