/** Parsers of option values; what they refuse ends with exit code 2. */
import { InvalidArgumentError, Option } from '@commander-js/extra-typings';
import { parseDurationMs } from '../domain/duration.ts';

export function secondsOption(given: string): number {
  const ms = parseDurationMs(given);
  if (ms === undefined || ms % 1000 !== 0) {
    throw new InvalidArgumentError('Write a duration such as 90s, 15m, 12h or 7d.');
  }
  return ms / 1000;
}

export function hoursOption(given: string): number {
  const hours = secondsOption(given) / 3_600;
  if (!Number.isInteger(hours)) throw new InvalidArgumentError('Write whole hours such as 4h.');
  return hours;
}

export function wholeOption(given: string): number {
  if (!/^\d{1,10}$/.test(given)) throw new InvalidArgumentError('Write a whole number such as 1000.');
  return Number(given);
}

/** Hours of the day, `22-4`. */
export function windowOption(given: string): { fromHour: number; toHour: number } {
  const [, from, to] = /^(\d{1,2})-(\d{1,2})$/.exec(given) ?? [];
  if (from === undefined) throw new InvalidArgumentError('Write two hours (UTC) such as 22-4.');
  return { fromHour: Number(from), toHour: Number(to) };
}

export function deviceKeyOption(given: string, earlier: readonly number[] = []): readonly number[] {
  if (!/^\d{1,9}$/.test(given))
    throw new InvalidArgumentError('Write the device key of a disk, such as 2001.');
  return [...earlier, Number(given)];
}

/** Settings by path, where a command reads the configuration. */
export function setOption() {
  return new Option('--set <path=value>', 'a setting that wins over file and environment; may be repeated')
    .argParser(setting)
    .default({}, 'none');
}

function setting(given: string, earlier: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const at = given.indexOf('=');
  if (at <= 0) throw new InvalidArgumentError('Write path=value, such as api.port=9443.');
  return { ...earlier, [given.slice(0, at)]: given.slice(at + 1) };
}

const pointKinds = {
  latest: 'latest',
  'latest-processed': 'latestProcessed',
  'latest-app-consistent': 'latestAppConsistent',
} as const;

export type PointChoice =
  | { readonly kind: (typeof pointKinds)[keyof typeof pointKinds] }
  | { readonly kind: 'custom'; readonly pointId: string };

export const POINT_HELP = 'latest, latest-processed, latest-app-consistent, or an id such as p000012';

export function pointOption(given: string): PointChoice {
  if (Object.hasOwn(pointKinds, given)) return { kind: pointKinds[given as keyof typeof pointKinds] };
  if (/^p\d{6,}$/.test(given)) return { kind: 'custom', pointId: given };
  throw new InvalidArgumentError(`Allowed: ${POINT_HELP}.`);
}

/** Keys that an auditor trusts. */
export function keyOption() {
  return new Option(
    '--key <file>',
    'a public key that you trust (PEM); may be repeated, after a change of keys',
  )
    .argParser((file: string, earlier: readonly string[]): readonly string[] => [...earlier, file])
    .default([], 'none');
}

/** ISO 8601 with a zone, as the API takes it: UTC, milliseconds. */
export function momentOption(given: string): string {
  const time = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})$/.test(given)
    ? Date.parse(given)
    : NaN;
  if (Number.isNaN(time)) throw new InvalidArgumentError('Write a moment such as 2026-11-21T19:30:00Z.');
  return new Date(time).toISOString();
}
