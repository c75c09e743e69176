/** Keeps requests to one blob, or to one account, below what Azure grants, and further below when it says that it is busy. */
import { setTimeout as sleep } from 'node:timers/promises';

export interface RateLimits {
  readonly requestsPerSecond: number;
  readonly bytesPerSecond: number;
}

export const UNLIMITED: RateLimits = { requestsPerSecond: Infinity, bytesPerSecond: Infinity };

/** So much of the time to come may be spent at once. */
const BURST_MS = 100;
const SHARE_MIN = 1 / 16;
/** From nothing back to the full rate. */
const RECOVERY_MS = 60_000;
/** Answers of requests that were on their way together are one sign, not many. */
const ONE_SIGN_MS = 1_000;

/**
 * Two token buckets, first come, first served. Each sign that the service is busy halves the rate and lets nothing
 * through for a while; the rate then grows back evenly over a minute, without a spike.
 * Source: learn.microsoft.com, "Performance and scalability checklist for Blob storage", "Timeout and Server Busy errors".
 */
export class Pacer {
  readonly #limits: RateLimits;
  /** Times, in milliseconds of `performance.now`, up to which requests and bytes are spoken for. */
  #requestsUntil = 0;
  #bytesUntil = 0;
  #busyAt = -Infinity;
  #shareThen = 1;

  constructor(limits: RateLimits) {
    this.#limits = limits;
  }

  /** Resolves when a request of so many bytes may be sent. */
  async admit(bytes: number, signal?: AbortSignal): Promise<void> {
    const waitMs = this.reserve(bytes, performance.now());
    if (waitMs > 0) await sleep(waitMs, undefined, signal === undefined ? {} : { signal });
  }

  /** Milliseconds that the next request has to wait from `nowMs` on. */
  reserve(bytes: number, nowMs: number): number {
    const { requestsPerSecond, bytesPerSecond } = this.#limits;
    const waitMs = Math.max(this.#requestsUntil, this.#bytesUntil) - BURST_MS - nowMs;
    const share = this.#shareAt(nowMs);
    this.#requestsUntil = Math.max(this.#requestsUntil, nowMs) + 1_000 / (requestsPerSecond * share);
    this.#bytesUntil = Math.max(this.#bytesUntil, nowMs) + (bytes * 1_000) / (bytesPerSecond * share);
    return Math.max(0, waitMs);
  }

  /** The service is busy: nothing for `pauseMs`, then less. */
  slowDown(pauseMs: number, nowMs = performance.now()): void {
    if (nowMs - this.#busyAt > ONE_SIGN_MS) {
      this.#shareThen = Math.max(SHARE_MIN, this.#shareAt(nowMs) / 2);
      this.#busyAt = nowMs;
    }
    const until = nowMs + pauseMs + BURST_MS;
    this.#requestsUntil = Math.max(this.#requestsUntil, until);
    this.#bytesUntil = Math.max(this.#bytesUntil, until);
  }

  #shareAt(nowMs: number): number {
    return Math.min(1, this.#shareThen + Math.max(0, nowMs - this.#busyAt) / RECOVERY_MS);
  }
}
