/** Seeded bytes and numbers: the same seed and label give the same stream on every machine. */
import { createCipheriv, createHash } from 'node:crypto';

export interface SeededStream {
  bytes(length: number): Buffer;
  /** 0 ≤ n < bound, for bounds up to 2^48 */
  below(bound: number): number;
}

const NUMBER_BYTES = 6;

/** The key stream of AES-128 in counter mode, which nothing compresses. */
export function seededStream(seed: number, label: string): SeededStream {
  const key = createHash('sha256').update(`${label} ${seed}`).digest().subarray(0, 16);
  const cipher = createCipheriv('aes-128-ctr', key, Buffer.alloc(16));
  const bytes = (length: number) => cipher.update(Buffer.alloc(length));
  return {
    bytes,
    below: (bound) => bytes(NUMBER_BYTES).readUIntBE(0, NUMBER_BYTES) % bound,
  };
}
