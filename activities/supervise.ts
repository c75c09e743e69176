/**
 * Keeps an activity alive while bytes move: a heartbeat every few seconds carries the newest details, and
 * cancellation arrives as an AbortSignal. The details of the last attempt are where the next one starts from.
 */
import { Context } from '@temporalio/activity';

/** Well below the heartbeat timeout of `workflows/lib/proxies.ts` (10 s). */
const HEARTBEAT_EVERY_MS = 2_000;

export interface Supervision<D> {
  readonly signal: AbortSignal;
  readonly attempt: number;
  /** Details that the previous attempt left, if any. */
  readonly previous: D | undefined;
  /** Replaces the details; sent with the next heartbeat. */
  readonly report: (details: D) => void;
  /** What was reported last, by this attempt or the one before. */
  readonly latest: () => D | undefined;
  /** Sends the details now. */
  readonly flush: () => void;
}

/**
 * Runs `work` under heartbeats; the newest details are also sent when it throws, so that a retry sees them.
 * A cancelled activity ends at once, even where `work` waits for a vCenter task that cannot be interrupted: what
 * still runs is an old attempt, and old attempts can no longer write.
 */
export async function supervised<D, R>(work: (supervision: Supervision<D>) => Promise<R>): Promise<R> {
  const context = Context.current();
  const previous = context.info.heartbeatDetails as D | undefined;
  let details = previous;
  const beat = () => context.heartbeat(details);
  const timer = setInterval(beat, HEARTBEAT_EVERY_MS);
  beat();
  let isOver = false;
  const working = work({
    signal: context.cancellationSignal,
    attempt: context.info.attempt,
    previous,
    report: (next) => {
      if (!isOver) details = next;
    },
    latest: () => details,
    flush: () => {
      if (!isOver) beat();
    },
  });
  // Whoever loses the race has nobody to tell.
  working.catch(() => undefined);
  try {
    return await Promise.race([working, context.cancelled]);
  } finally {
    isOver = true;
    clearInterval(timer);
    beat();
  }
}
