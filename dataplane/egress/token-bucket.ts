/** A token bucket that may go into debt: what is sent at once is paid for afterwards, so that the average holds. */

/** What an idle line saves up. */
const BURST_SECONDS = 0.25;
/** The most that has to be paid back: traffic that never waits must not stop the rest for hours. */
const DEBT_SECONDS_MAX = 60;

export interface Bucket {
  /** Bytes; negative: debt. */
  readonly tokens: number;
  /** When that was so. */
  readonly atMs: number;
}

/** A clock that goes back earns nothing. */
export function refilled(bucket: Bucket, bytesPerSecond: number, nowMs: number): Bucket {
  const earned = (Math.max(0, nowMs - bucket.atMs) / 1_000) * bytesPerSecond;
  return { tokens: Math.min(bytesPerSecond * BURST_SECONDS, bucket.tokens + earned), atMs: nowMs };
}

export function charged(bucket: Bucket, bytes: number, bytesPerSecond: number): Bucket {
  return { ...bucket, tokens: Math.max(-bytesPerSecond * DEBT_SECONDS_MAX, bucket.tokens - bytes) };
}

/** Until something may be sent; 0: now. */
export function waitMs({ tokens }: Bucket, bytesPerSecond: number): number {
  return tokens > 0 ? 0 : Math.ceil(((1 - tokens) / bytesPerSecond) * 1_000);
}
