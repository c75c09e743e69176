import { createCipheriv } from 'node:crypto';

/** Seeded randomness: a failure names the seed, `SWITCHBACK_SEED` repeats it. */
export interface Random {
  /** Integer from 0 up to but not including `below`. */
  int(below: number): number;
  bytes(length: number): Buffer;
}

export function seededRandom(title: string): Random {
  const seed = Number(process.env['SWITCHBACK_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
  process.stdout.write(`${title}: seed ${seed}\n`);
  return randomFrom(seed);
}

/** The key stream of AES-128 in counter mode. */
export function randomFrom(seed: number): Random {
  const key = Buffer.alloc(16);
  key.writeUInt32LE(seed >>> 0);
  const stream = createCipheriv('aes-128-ctr', key, Buffer.alloc(16));
  const bytes = (length: number) => stream.update(Buffer.alloc(length));
  return { int: (below) => bytes(4).readUInt32LE() % below, bytes };
}
