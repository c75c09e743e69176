/** What is fuzzed: one reader of bytes from outside, and what it may do with them. */
import type { Random } from '../support/random.ts';

export interface FuzzTarget {
  readonly name: string;
  /** Of all inputs. */
  readonly share: number;
  /** All memory the reader may ask for in buffers for one input, however long the input says it is. */
  readonly bufferBytesMax: number;
  input(random: Random): Buffer;
  /**
   * Hands the bytes to the reader. Answers how they were taken: `accepted`, or the refusal's code and reason.
   * @throws Finding when something was accepted that must not be; anything else thrown is a crash
   */
  run(bytes: Buffer): Promise<string> | string;
  /** Ends what `run` has started. */
  stop?(): Promise<void>;
}

/** A promise that was not kept. */
export class Finding extends Error {}

/** The input of a number: the same for the same seed, whatever ran before. */
export function inputOf(target: FuzzTarget, seed: number, index: number): Buffer {
  return target.input(quickRandom(mixed(`${seed}/${target.name}/${index}`)));
}

/** FNV-1a. */
function mixed(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return hash >>> 0;
}

/** mulberry32, a public-domain generator by Tommy Ettinger: inputs by the million want no cipher. */
function quickRandom(seed: number): Random {
  let state = seed;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let word = Math.imul(state ^ (state >>> 15), 1 | state);
    word = (word + Math.imul(word ^ (word >>> 7), 61 | word)) ^ word;
    return (word ^ (word >>> 14)) >>> 0;
  };
  return {
    int: (below) => next() % below,
    bytes(length) {
      const bytes = Buffer.alloc(length);
      for (let at = 0; at < length; at += 1) bytes[at] = next();
      return bytes;
    },
  };
}
