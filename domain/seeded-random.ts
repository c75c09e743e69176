/** Numbers that look random and are the same for the same seed on every machine. Not for secrets. */
export interface SeededRandom {
  /** 0 ≤ n < 1 */
  uniform(): number;
  /** Normal, mean 0, deviation 1 (Box and Muller, 1958). */
  normal(): number;
}

/** mulberry32, a public-domain generator by Tommy Ettinger. */
export function seededRandom(seed: number): SeededRandom {
  let state = seed >>> 0;
  const uniform = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const normal = () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
  return { uniform, normal };
}
