/**
 * `npm run test:crash`: every process of the product and Temporal killed at every step of the round trip, one at a time,
 * then pairs of them close together. One machine in one practice ground goes round and round; after each operation its
 * bytes, both histories and everything that is left are looked at.
 *
 *   --seed N       repeat a run (default: random, printed)
 *   --pairs N      how many times two are killed together (default 50)
 *   --only MOVE    steps of this operation only, and no pairs unless asked for; may be repeated
 *   --step M:STEP   this step of an operation only; may be repeated
 *   --minutes N    time budget; what was not reached is said (default: none)
 */
import { parseArgs } from 'node:util';
import { Auditor } from '../test/e2e/support/auditor.ts';
import { moveNames, type MoveName, type Place } from '../test/e2e/support/moves.ts';
import { protectedMachine } from '../test/e2e/support/protected-machine.ts';
import { slowDown } from '../test/e2e/support/slow-down.ts';
import { stepsOf } from '../test/e2e/support/steps.ts';
import { smallMachine, startPractice } from '../test/support/harness.ts';
import { seededRandom, type Random } from '../test/support/random.ts';
import { Plan } from './crash/plan.ts';
import { exhaust, pairs, type CrashRun } from './crash/run.ts';
import { summary, type Tally } from './crash/tally.ts';
import { tell as tellError } from './run.ts';

const PAIRS = 50;
/** Of a limited time, what is left to pairs. */
const SHARE_OF_PAIRS = 0.3;
const START: Place = { state: 'protected', drill: false };

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    pairs: { type: 'string' },
    only: { type: 'string', multiple: true },
    step: { type: 'string', multiple: true },
    minutes: { type: 'string' },
  },
});
const tell = (line: string) => void process.stdout.write(`${line}\n`);

try {
  const only = (values.only ?? []).map(moveNamed);
  const minutes = values.minutes === undefined ? Infinity : wholeNumber('minutes', values.minutes);
  const pairsWanted = wholeNumber(
    'pairs',
    values.pairs ?? String(only.length + (values.step?.length ?? 0) > 0 ? 0 : PAIRS),
  );
  const random = seededRandom('crash run', values.seed);
  if (values.seed !== undefined) wholeNumber('seed', values.seed);
  const steps = (values.step ?? []).map(stepNamed);
  process.exitCode = await crash({ random, only, steps, minutes, pairsWanted });
} catch (error) {
  tellError(error);
  process.exitCode = 1;
}

async function crash(asked: {
  readonly random: Random;
  readonly only: readonly MoveName[];
  /** `move:step`. */
  readonly steps: readonly string[];
  readonly minutes: number;
  readonly pairsWanted: number;
}): Promise<number> {
  const { random, only, steps, minutes, pairsWanted } = asked;
  const { seed } = random;
  const startedAt = Date.now();
  const endsAt = startedAt + minutes * 60_000;
  const pairsFrom = pairsWanted === 0 ? endsAt : startedAt + minutes * (1 - SHARE_OF_PAIRS) * 60_000;
  const practice = await startPractice({ seed });
  let isWell = false;
  try {
    const trip = await protectedMachine(practice, smallMachine(seed).name, random);
    await slowDown(practice);
    const run: CrashRun = {
      trip,
      auditor: await Auditor.of(trip.flow),
      plan: new Plan(random, only.length === 0 ? moveNames : only, steps),
      tally: {
        seed,
        startedAt,
        kills: 0,
        killsInStep: 0,
        finished: 0,
        pairs: 0,
        pairsWanted,
        failures: [],
      } satisfies Tally,
      lasted: new Map(),
      tell,
    };
    tell(`${run.plan.total} steps × processes, then ${pairsWanted} pairs`);
    const place = await exhaust(run, START, pairsFrom);
    await pairs(run, place, endsAt);
    isWell = run.tally.failures.length === 0 && run.auditor.findings.length === 0;
    tell(summary(run.tally, run.plan, run.auditor.findings));
  } finally {
    await practice.stop({ keepFiles: !isWell });
    if (!isWell) tell(`logs and state are kept in ${practice.lab.paths.folder}`);
  }
  return isWell ? 0 : 1;
}

function moveNamed(name: string): MoveName {
  const found = moveNames.find((move) => move === name);
  if (found === undefined) throw new Error(`--only takes ${moveNames.join(', ')}, not "${name}"`);
  return found;
}

function stepNamed(text: string): string {
  const [move = '', step = ''] = text.split(':');
  if (stepsOf(moveNamed(move)).includes(step)) return text;
  throw new Error(`--step takes an operation and one of its steps, failover:fence, not "${text}"`);
}

function wholeNumber(option: string, text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0)
    throw new Error(`--${option} takes a whole number, not "${text}"`);
  return value;
}
