/** Pages of a list that is bounded by retention and read as a whole. The cursor is the key of the last entry shown. */

export function afterKey<T>(
  all: readonly T[],
  key: (one: T) => string,
  cursor: string | undefined,
): readonly T[] {
  if (cursor === undefined) return all;
  const last = all.findIndex((one) => key(one) === cursor);
  return last < 0 ? [] : all.slice(last + 1);
}

export function pageOf<T>(rest: readonly T[], limit: number, key: (one: T) => string) {
  const items = rest.slice(0, limit);
  const last = items.at(-1);
  return rest.length > limit && last !== undefined ? { items, nextCursor: key(last) } : { items };
}
