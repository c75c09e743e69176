/** `length` incompressible bytes that depend on the seed alone (the splitmix32 generator, little endian). */
export function seededBytes(seed: number, length: number): Buffer {
  const words = new Uint32Array(Math.ceil(length / 4));
  let state = seed | 0;
  for (let at = 0; at < words.length; at++) words[at] = mix((state = (state + 0x9e3779b9) | 0));
  return Buffer.from(words.buffer, 0, length);
}

/** A seeded source of whole numbers below `limit`. */
export function seededNumbers(seed: number): (limit: number) => number {
  let state = seed | 0;
  return (limit) => {
    const [high, low] = [mix((state = (state + 0x9e3779b9) | 0)), mix((state = (state + 0x9e3779b9) | 0))];
    return Math.floor(((high >>> 0) / 2 ** 32 + (low >>> 0) / 2 ** 64) * limit);
  };
}

function mix(state: number): number {
  let word = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
  word = Math.imul(word ^ (word >>> 15), 0x735a2d97);
  return (word ^ (word >>> 15)) >>> 0;
}
