/** IPv4 addresses and the ranges of subnets, as Azure counts them. */

/** Azure keeps the first four addresses and the last one of every subnet (learn.microsoft.com, "Virtual network FAQ"). */
const RESERVED_FIRST = 4;
const RESERVED_LAST = 1;

interface Range {
  readonly first: number;
  readonly count: number;
}

/** Addresses that machines can have; null: not written as `10.1.0.0/24`. */
export function usableAddresses(prefix: string): number | null {
  const range = rangeOf(prefix);
  return range === null ? null : Math.max(0, range.count - RESERVED_FIRST - RESERVED_LAST);
}

/** Whether a machine in that subnet can have the address; null: one of the two cannot be understood. */
export function isUsableIn(address: string, prefix: string): boolean | null {
  const [range, at] = [rangeOf(prefix), numberOf(address)];
  if (range === null || at === null) return null;
  return at >= range.first + RESERVED_FIRST && at < range.first + range.count - RESERVED_LAST;
}

function rangeOf(prefix: string): Range | null {
  const [address = '', bits = ''] = prefix.split('/');
  const base = numberOf(address);
  if (base === null || !/^\d{1,2}$/.test(bits) || Number(bits) > 32) return null;
  const count = 2 ** (32 - Number(bits));
  return { first: base - (base % count), count };
}

function numberOf(address: string): number | null {
  const parts = address.split('.').map((part) => (/^\d{1,3}$/.test(part) ? Number(part) : Number.NaN));
  if (parts.length !== 4 || !parts.every((part) => part <= 255)) return null;
  return parts.reduce((sum, part) => sum * 256 + part, 0);
}
