/** Changes to bytes that know nothing of their format. */
import type { Random } from '../support/random.ts';

type Mutation = (bytes: Buffer, random: Random, other: Buffer) => Buffer;

/** What lengths, counts and offsets like to break at. */
const INTERESTING = [
  0n,
  1n,
  511n,
  512n,
  513n,
  4096n,
  2n ** 15n,
  2n ** 16n,
  2n ** 20n,
  2n ** 23n,
  2n ** 25n,
  2n ** 31n - 1n,
  2n ** 31n,
  2n ** 32n - 1n,
  2n ** 53n - 1n,
  2n ** 53n,
  2n ** 63n,
  2n ** 64n - 512n,
  2n ** 64n - 1n,
];
const TAIL_BYTES_MAX = 64;

export const mutations: Readonly<Record<string, Mutation>> = {
  flipBit(bytes, random) {
    if (bytes.length === 0) return bytes;
    const at = random.int(bytes.length);
    bytes[at] = (bytes[at] ?? 0) ^ (1 << random.int(8));
    return bytes;
  },
  setByte(bytes, random) {
    if (bytes.length > 0) bytes[random.int(bytes.length)] = random.int(256);
    return bytes;
  },
  truncate: (bytes, random) => bytes.subarray(0, random.int(bytes.length + 1)),
  extend: (bytes, random) => Buffer.concat([bytes, random.bytes(1 + random.int(TAIL_BYTES_MAX))]),
  splice(bytes, random, other) {
    const cut = random.int(bytes.length + 1);
    return Buffer.concat([bytes.subarray(0, cut), other.subarray(random.int(other.length + 1))]);
  },
  repeat(bytes, random) {
    const [from, to] = stretch(bytes, random);
    return Buffer.concat([bytes.subarray(0, to), bytes.subarray(from)]);
  },
  remove(bytes, random) {
    const [from, to] = stretch(bytes, random);
    return Buffer.concat([bytes.subarray(0, from), bytes.subarray(to)]);
  },
  lie(bytes, random) {
    const width = [1, 2, 4, 8][random.int(4)] ?? 4;
    if (bytes.length < width) return bytes;
    const value = BigInt.asUintN(width * 8, interesting(random));
    const digits = Buffer.alloc(8);
    digits.writeBigUInt64LE(value);
    const field = digits.subarray(0, width);
    if (random.int(2) === 0) field.reverse();
    field.copy(bytes, random.int(bytes.length - width + 1));
    return bytes;
  },
};

const all = Object.values(mutations);

/** One to four changes; `others` are what pieces are taken from. */
export function mutate(bytes: Buffer, random: Random, others: readonly Buffer[]): Buffer {
  let mutated: Buffer = Buffer.from(bytes);
  for (let left = 1 + random.int(4); left > 0; left -= 1) {
    const other = others[random.int(others.length)] ?? bytes;
    mutated = all[random.int(all.length)]?.(mutated, random, other) ?? mutated;
  }
  return mutated;
}

export function interesting(random: Random): bigint {
  return INTERESTING[random.int(INTERESTING.length)] ?? 0n;
}

function stretch(bytes: Buffer, random: Random): readonly [number, number] {
  const from = random.int(bytes.length + 1);
  return [from, from + random.int(bytes.length - from + 1)];
}
