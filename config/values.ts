/** Leaf values of the configuration: written with units, read from text or YAML scalars, numbers from here on. */
import { isAbsolute, resolve } from 'node:path';
import { parse as parseYaml } from 'yaml';
import { z } from 'zod';
import { parseDurationMs } from '../domain/duration.ts';
import { GiB, KiB, MiB } from '../domain/units.ts';
import { Secret } from '../domain/ports.ts';

/** A leaf says what it wants in words, so that a problem and the documentation read the same. */
export function leaf<T>(wanted: string, parse: (text: string) => T | undefined) {
  return z
    .union([z.string(), z.number(), z.boolean()], {
      error: (issue) => (issue.input === undefined ? `is missing: ${wanted}` : `must be ${wanted}`),
    })
    .transform((raw, context): T => {
      const value = parse(String(raw).trim());
      if (value !== undefined) return value;
      context.addIssue({ code: 'custom', message: `must be ${wanted}` });
      return z.NEVER;
    });
}

export const text = (wanted: string) => leaf(wanted, (given) => (given === '' ? undefined : given));

export const secretText = (wanted: string) =>
  leaf(wanted, (given) => (given === '' ? undefined : new Secret(given)));

export const matching = (wanted: string, pattern: RegExp) =>
  leaf(wanted, (given) => (pattern.test(given) ? given : undefined));

/** Becomes absolute; relative paths start at the working directory. */
export const path = (wanted: string) => leaf(wanted, (given) => (given === '' ? undefined : resolve(given)));

const FOLDERS_MAX = 100;

/** A list of absolute paths, or the same list as text. */
export const folders = () =>
  z.unknown().transform((given, context): readonly string[] => {
    const list = typeof given === 'string' ? fromYaml(given) : given;
    const isList = Array.isArray(list) && list.length <= FOLDERS_MAX;
    if (isList && list.every((each) => typeof each === 'string' && isAbsolute(each))) return list as string[];
    const message = `must be a list of at most ${FOLDERS_MAX} absolute paths`;
    context.addIssue({ code: 'custom', message });
    return z.NEVER;
  });

function fromYaml(given: string): unknown {
  try {
    return parseYaml(given);
  } catch {
    return given;
  }
}

export const wholeNumber = (min: number, max: number) =>
  leaf(`a whole number from ${min} to ${max}`, (given) => {
    if (!/^\d{1,15}$/.test(given)) return undefined;
    const value = Number(given);
    return value >= min && value <= max ? value : undefined;
  });

export const oneOf = <const T extends string>(choices: readonly T[]) =>
  leaf(`one of ${choices.join(', ')}`, (given) => choices.find((choice) => choice === given));

const sizeUnits = { B: 1, KiB, MiB, GiB, TiB: 1024 * GiB } as const;

const ofUnit = { milliseconds: 1, seconds: 1000 } as const;

/** A duration such as `15m`, as a number of `unit`; a bare number is in that unit already. */
export function duration(unit: keyof typeof ofUnit, range: { readonly min: string; readonly max: string }) {
  const [min, max] = [parseDurationMs(range.min) ?? 0, parseDurationMs(range.max) ?? Infinity];
  return leaf(`a duration from ${range.min} to ${range.max}`, (given) => {
    const ms = /^\d+$/.test(given) ? Number(given) * ofUnit[unit] : parseDurationMs(given);
    return ms !== undefined && ms >= min && ms <= max ? ms / ofUnit[unit] : undefined;
  });
}

/** A number from 0 to 100, with a fraction where one is wanted. */
export function percentage() {
  return leaf('a number from 0 to 100', (given) => {
    const percent = /^\d+(?:\.\d+)?$/.test(given) ? Number(given) : undefined;
    return percent !== undefined && percent <= 100 ? percent : undefined;
  });
}

/** Bytes of a size such as `8MiB`; a bare number is bytes already. */
export const size = (min: string) => {
  const minBytes = parseSizeBytes(min) ?? 0;
  return leaf(`a size of at least ${min}`, (given) => {
    const bytes = parseSizeBytes(given);
    return bytes !== undefined && bytes >= minBytes ? bytes : undefined;
  });
};

export function parseSizeBytes(given: string): number | undefined {
  const [, amount, unit] = /^(\d+(?:\.\d+)?)(B|KiB|MiB|GiB|TiB)?$/.exec(given) ?? [];
  if (amount === undefined) return undefined;
  return Math.round(Number(amount) * sizeUnits[(unit ?? 'B') as keyof typeof sizeUnits]);
}

const loopbackHosts = new Set(['localhost', '127.0.0.1', '[::1]', '::1']);

export function isLoopback(host: string): boolean {
  return loopbackHosts.has(host);
}

/** An address without user, query or fragment; `http:` only where the bytes stay on this machine. */
export const httpsUrl = (wanted = 'an https:// address (http:// for this machine only)') =>
  leaf(wanted, (given) => {
    const url = URL.canParse(given) ? new URL(given) : undefined;
    if (url === undefined || url.username !== '' || url.search !== '' || url.hash !== '') return undefined;
    const safe = url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url.hostname));
    return safe ? given.replace(/\/+$/, '') : undefined;
  });
