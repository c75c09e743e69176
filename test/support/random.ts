/** Seeded randomness: a failing run is repeated with the seed it printed (`SWITCHBACK_SEED`). */
export interface Random {
  readonly seed: number;
  /** 0 ≤ n < bound */
  below(bound: number): number;
  shuffled<T>(values: readonly T[]): T[];
}

export function seededRandom(name: string, given = process.env['SWITCHBACK_SEED']): Random {
  const seed = Number(given ?? Math.floor(Math.random() * 2 ** 31));
  process.stderr.write(`${name}: seed ${seed}\n`);
  return randomOf(seed);
}

/** The same numbers for the same seed; nothing is printed. */
export function randomOf(seed: number): Random {
  let state = seed >>> 0;
  // mulberry32, a public-domain generator by Tommy Ettinger.
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (bound: number) => Math.floor(next() * bound);
  return {
    seed,
    below,
    shuffled(values) {
      const rest = [...values];
      return values.map(() => rest.splice(below(rest.length), 1)[0] as (typeof values)[number]);
    },
  };
}
