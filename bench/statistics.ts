/** Numbers about numbers. */

/** That share of the values, 0 to 1, is below it; 0 of none. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
}

/** Median of the last quarter over that of the second one, where a run has settled: above 1 it grows. */
export function growth(values: readonly number[]): number {
  const quarter = (index: number) =>
    values.slice(Math.floor((index * values.length) / 4), Math.floor(((index + 1) * values.length) / 4));
  const before = percentile(quarter(1), 0.5);
  return before === 0 ? 0 : percentile(quarter(3), 0.5) / before;
}
