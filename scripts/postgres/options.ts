/** What a database run is asked for. */
import { parseArgs } from 'node:util';

export interface Asked {
  /** How long pgbench works at least, in minutes. */
  readonly minutes: number;
  /** Recovery points under load at least. */
  readonly points: number;
  /** Tries of each kind of sabotage. */
  readonly trials: number;
  readonly seed: number;
  /** The short form, without a drill; where it cannot run it is left out. */
  readonly isSample: boolean;
}

const defaults = { minutes: '1', points: '8', trials: '4' };
/** What `.ci/run` takes. */
const sample = { minutes: '0', points: '4', trials: '1' };

/** @throws Error naming the option that cannot be */
export function parseAsked(args: readonly string[]): Asked {
  const { values } = parseArgs({
    args: [...args],
    options: {
      minutes: { type: 'string' },
      points: { type: 'string' },
      trials: { type: 'string' },
      seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 31)) },
      sample: { type: 'boolean', default: false },
    },
  });
  const preset = values.sample ? sample : defaults;
  return {
    minutes: wholeNumber('minutes', values.minutes ?? preset.minutes, 0, 7),
    points: wholeNumber('points', values.points ?? preset.points, 3, 80),
    trials: wholeNumber('trials', values.trials ?? preset.trials, 1, 100),
    seed: wholeNumber('seed', values.seed, 0, 2 ** 31 - 1),
    isSample: values.sample,
  };
}

/** As it is typed: what was left out is chosen already. */
export function wordsOf({ minutes, points, trials, seed, isSample }: Asked): string[] {
  const numbers = { minutes, points, trials, seed };
  const words = Object.entries(numbers).flatMap(([name, value]) => [`--${name}`, String(value)]);
  return isSample ? [...words, '--sample'] : words;
}

function wholeNumber(option: string, text: string, min: number, max: number): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < min || value > max) {
    throw new Error(`--${option} takes a whole number from ${min} to ${max}, not "${text}"`);
  }
  return value;
}
