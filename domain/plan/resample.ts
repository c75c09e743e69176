/**
 * Durations as they may come, from durations as they came: the smoothed bootstrap (B. W. Silverman and G. A. Young,
 * "The bootstrap: To smooth or not to smooth?", Biometrika 74, 1987), on logarithms, because durations are positive and
 * their large values lie further apart than their small ones.
 */
import type { SeededRandom } from '../seeded-random.ts';

/** Draws a duration, in the unit of the samples. */
export type Distribution = (random: SeededRandom) => number;

/** Below a millisecond nothing was measured. */
const SMALLEST = 0.001;

export function always(seconds: number): Distribution {
  return () => seconds;
}

/**
 * One of the samples, moved a little. Mean and deviation of the logarithms are those of the samples, n − 1 in the
 * denominator; the bandwidth is Silverman's. A single sample is taken as it is. @throws RangeError without any
 */
export function resampled(samples: readonly number[]): Distribution {
  const logs = samples.map((each) => Math.log(Math.max(SMALLEST, each)));
  const count = logs.length;
  const [only] = samples;
  if (only === undefined) throw new RangeError('nothing to draw from');
  const mean = logs.reduce((sum, each) => sum + each, 0) / count;
  const squares = logs.reduce((sum, each) => sum + (each - mean) ** 2, 0);
  if (squares === 0) return always(only);
  const variance = squares / (count - 1);
  const bandwidth = 1.06 * Math.sqrt(variance) * count ** -0.2;
  const shrink = Math.sqrt(variance / (squares / count + bandwidth ** 2));
  return (random) => {
    const drawn = logs[Math.floor(random.uniform() * count)] ?? mean;
    return Math.exp(mean + shrink * (drawn - mean + bandwidth * random.normal()));
  };
}

/** Of sorted values, between neighbours in proportion (Hyndman and Fan 1996, type 7); 0 of none. */
export function quantile(sorted: readonly number[], share: number): number {
  const place = share * (sorted.length - 1);
  const [low, high] = [sorted[Math.floor(place)] ?? 0, sorted[Math.ceil(place)] ?? 0];
  return low + (place - Math.floor(place)) * (high - low);
}
