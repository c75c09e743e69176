/**
 * Canonical JSON (RFC 8785, JCS): one text for one value, so that two programs hash the same bytes. The scheme is
 * defined by ECMAScript's own serialization of strings and numbers; what is left to do is the order of the keys.
 */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

/**
 * Absent and `undefined` are the same. Keys are ordered by UTF-16 code units.
 * @throws RangeError for what JSON cannot hold: NaN, infinities, halves of surrogate pairs, functions
 */
export function canonical(value: unknown): string {
  if (value === null || typeof value === 'boolean') return String(value);
  if (typeof value === 'string') return text(value);
  if (typeof value === 'number') return number(value);
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value !== 'object') throw new RangeError(`JSON holds no ${typeof value}`);
  const known = sortedEntries(value).filter(([, inner]) => inner !== undefined);
  return `{${known.map(([key, inner]) => `${text(key)}:${canonical(inner)}`).join(',')}}`;
}

/** In the order of the canonical text, whatever the order in which they were set. */
export function sortedEntries<T>(value: Readonly<Record<string, T>> | object): [string, T][] {
  return Object.entries<T>(value as Readonly<Record<string, T>>).sort(([a], [b]) =>
    a < b ? -1 : a > b ? 1 : 0,
  );
}

function text(value: string): string {
  if (!value.isWellFormed()) throw new RangeError('half of a surrogate pair has no place in UTF-8');
  return JSON.stringify(value);
}

function number(value: number): string {
  if (!Number.isFinite(value)) throw new RangeError(`JSON holds no ${value}`);
  return JSON.stringify(value);
}

/** The same value with U+FFFD for halves of surrogate pairs, and without what is `undefined`. */
export function wellFormed(value: unknown): Json {
  if (typeof value === 'string') return value.toWellFormed();
  if (Array.isArray(value)) return value.map(wellFormed);
  if (typeof value !== 'object' || value === null) return value as Json;
  const known = Object.entries(value).filter(([, inner]) => inner !== undefined);
  return Object.fromEntries(known.map(([key, inner]) => [key.toWellFormed(), wellFormed(inner)]));
}

/** Every value that is no container, with its path: `observed.status`, `disks[0].hash`. Empty containers count. */
export function leavesOf(value: Json, path = ''): readonly (readonly [path: string, value: Json])[] {
  const inner = entriesOf(value, path);
  return inner === undefined || inner.length === 0
    ? [[path, value]]
    : inner.flatMap(([place, each]) => leavesOf(each, place));
}

function entriesOf(value: Json, path: string): [string, Json][] | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  if (Array.isArray(value)) return value.map((each: Json, index) => [`${path}[${index}]`, each]);
  return sortedEntries<Json>(value).map(([key, each]) => [path === '' ? key : `${path}.${key}`, each]);
}
