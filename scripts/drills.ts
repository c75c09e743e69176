/**
 * `npm run test:drills`: drills of small plans beside each other, with seeded faults of Azure, killed processes and probes that never
 * answer. After each drill and its cleanup nothing of it may be left, and nothing that lives may have been touched.
 *
 *   --count N     drills (default 500)
 *   --seed N      repeat a run (default: random, printed)
 *   --only N      this drill of the seed only; may be repeated
 *   --at-once N   plans that drill beside each other (default 8)
 *   --minutes N   time budget: no drill begins after it, and what was not reached is said (default: none)
 *
 * Interrupted, it begins no further drill, sees those under way to their end, and says what was reached.
 */
import { parseArgs } from 'node:util';
import { seededRandom } from '../test/support/random.ts';
import { drill, Killer, type DrillAround } from './drills/drill.ts';
import { lanesOf, openGround, type Lane } from './drills/ground.ts';
import { scriptOf, words } from './drills/script.ts';
import { isWell, summary, type Tally } from './drills/tally.ts';
import { Witness } from './drills/witness.ts';
import { tell as tellError } from './run.ts';

const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '500' },
    seed: { type: 'string' },
    only: { type: 'string', multiple: true },
    'at-once': { type: 'string', default: '8' },
    minutes: { type: 'string' },
  },
});
const tell = (line: string) => void process.stdout.write(`${line}\n`);

try {
  const count = wholeNumber('count', values.count);
  const only = (values.only ?? []).map((text) => wholeNumber('only', text));
  const atOnce = Math.max(1, wholeNumber('at-once', values['at-once']));
  const minutes = values.minutes === undefined ? Infinity : wholeNumber('minutes', values.minutes);
  if (values.seed !== undefined) wholeNumber('seed', values.seed);
  const { seed } = seededRandom('drills', values.seed);
  const numbers = only.length > 0 ? only : Array.from({ length: count }, (_, index) => index);
  process.exitCode = await drills({ seed, numbers, atOnce, minutes });
} catch (error) {
  tellError(error);
  process.exitCode = 1;
}

async function drills(asked: {
  readonly seed: number;
  readonly numbers: readonly number[];
  readonly atOnce: number;
  readonly minutes: number;
}): Promise<number> {
  const { seed, numbers, atOnce, minutes } = asked;
  const lanes = lanesOf(Math.min(atOnce, numbers.length));
  const ground = await openGround(seed, lanes);
  const { practice } = ground;
  const startedAt = Date.now();
  const tally: Tally = { seed, wanted: numbers.length, startedAt, told: [], broken: [], atTheEnd: [] };
  let witness: Witness | undefined;
  try {
    witness = await Witness.of(
      practice,
      lanes.flatMap(({ machines }) => machines),
    );
    tell(`${numbers.length} drills, ${lanes.length} plans beside each other`);
    const around = { ground, witness, killer: new Killer() };
    const endsAt = startedAt + minutes * 60_000;
    const waiting = [...numbers];
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => waiting.splice(0));
    await Promise.all(lanes.map((lane) => playLane(around, lane, { waiting, tally, endsAt })));
    tally.atTheEnd.push(...(await witness.lookAtEverything()));
    tell(summary(tally));
  } finally {
    await witness?.close();
    await practice.stop({ keepFiles: !isWell(tally) });
    if (!isWell(tally)) tell(`logs and state are kept in ${practice.lab.paths.folder}`);
  }
  return isWell(tally) && tally.told.length > 0 ? 0 : 1;
}

/** The next drill that waits, until none does; a lane whose drill could not be seen to its end stops. */
async function playLane(
  around: DrillAround,
  lane: Lane,
  { waiting, tally, endsAt }: { readonly waiting: number[]; readonly tally: Tally; readonly endsAt: number },
): Promise<void> {
  while (Date.now() < endsAt) {
    const number = waiting.shift();
    if (number === undefined) return;
    const script = scriptOf(tally.seed, number);
    try {
      const report = await drill(around, lane, script);
      tally.told.push({ number, report });
      const { ended, decisions, missed, findings, seconds } = report;
      const minutes = ((Date.now() - tally.startedAt) / 60_000).toFixed(1);
      tell(
        [
          `${minutes.padStart(5)} min  ${String(tally.told.length).padStart(3)}/${tally.wanted}`,
          `drill ${number} of ${lane.plan}, ${seconds.toFixed(1)} s: ${ended}`,
          words(script),
          ...(decisions.length === 0 ? [] : [`decided ${decisions.join(', ')}`]),
          ...(missed.length === 0 ? [] : [`never struck ${missed.join(', ')}`]),
        ].join('  '),
      );
      for (const { kind, what } of findings) tell(`  ✗ ${kind}: ${what}`);
      if (findings.length > 0) tell(repeat(tally.seed, number));
    } catch (error) {
      tally.broken.push({ number, why: (error as Error).message });
      tell(`  ✗ drill ${number} of ${lane.plan}: ${(error as Error).message}  ${words(script)}`);
      tell(repeat(tally.seed, number));
      return;
    }
  }
}

function repeat(seed: number, number: number): string {
  return `    again: npm run test:drills -- --seed ${seed} --only ${number}`;
}

function wholeNumber(option: string, text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0)
    throw new Error(`--${option} takes a whole number, not "${text}"`);
  return value;
}
