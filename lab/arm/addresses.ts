/** IPv4 arithmetic of subnets. */
export interface Prefix {
  readonly first: number;
  readonly last: number;
}

/** Azure keeps the network address, three for itself, and the broadcast address. */
const RESERVED_AT_START = 4;
const RESERVED_AT_END = 1;

export function parseAddress(text: string): number | null {
  const parts = text.split('.').map((part) => (/^\d{1,3}$/.test(part) ? Number(part) : Number.NaN));
  if (parts.length !== 4 || parts.some((part) => !(part <= 255))) return null;
  return parts.reduce((sum, part) => sum * 256 + part, 0);
}

export function formatAddress(address: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join('.');
}

/** `10.0.0.0/24`; null when it is none or has host bits. */
export function parsePrefix(text: string): Prefix | null {
  const [base, bits] = text.split('/');
  const first = parseAddress(base ?? '');
  const length = /^\d{1,2}$/.test(bits ?? '') ? Number(bits) : Number.NaN;
  if (first === null || !(length <= 32)) return null;
  const size = 2 ** (32 - length);
  return first % size === 0 ? { first, last: first + size - 1 } : null;
}

export function contains(outer: Prefix, inner: Prefix): boolean {
  return outer.first <= inner.first && inner.last <= outer.last;
}

export function overlaps(a: Prefix, b: Prefix): boolean {
  return a.first <= b.last && b.first <= a.last;
}

export function isIn(prefix: Prefix, address: number): boolean {
  return prefix.first <= address && address <= prefix.last;
}

export function isReserved(prefix: Prefix, address: number): boolean {
  return address < prefix.first + RESERVED_AT_START || address > prefix.last - RESERVED_AT_END;
}

export function nextFree(prefix: Prefix, taken: ReadonlySet<string>): string | null {
  for (let address = prefix.first + RESERVED_AT_START; address <= prefix.last - RESERVED_AT_END; address++) {
    const text = formatAddress(address);
    if (!taken.has(text)) return text;
  }
  return null;
}
