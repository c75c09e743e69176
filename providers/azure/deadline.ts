/** Waiting with an end: what the SDKs leave open (a peer that accepts and never answers) is bounded here. */

/** Thrown by `withDeadline`; translated to the "unreachable" error of the room. */
export class DeadlineError extends Error {
  constructor(deadlineMs: number) {
    super(`no answer within ${Math.round(deadlineMs / 1000)} s`);
    this.name = 'DeadlineError';
  }
}

/**
 * Runs `work` with a signal that aborts with the caller's or after `deadlineMs`.
 * @throws DeadlineError when time ran out, the caller's abort reason when the caller gave up.
 */
export async function withDeadline<T>(
  deadlineMs: number,
  callerSignal: AbortSignal | undefined,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  callerSignal?.throwIfAborted();
  const controller = new AbortController();
  const onAbort = () => controller.abort(callerSignal?.reason);
  callerSignal?.addEventListener('abort', onAbort, { once: true });
  const timer = setTimeout(() => controller.abort(new DeadlineError(deadlineMs)), deadlineMs);
  try {
    return await work(controller.signal);
  } catch (error) {
    // Clients throw their own AbortError; the reason says who aborted.
    throw controller.signal.aborted ? controller.signal.reason : error;
  } finally {
    clearTimeout(timer);
    callerSignal?.removeEventListener('abort', onAbort);
  }
}

/** Gives up waiting with the caller's reason; the work goes on for those that share it. */
export async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(signal.reason as Error);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
