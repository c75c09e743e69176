/** Runs an activity as Temporal's worker would, without a server: attempt, heartbeats, cancellation. */
import { asyncLocalStorage, Context } from '@temporalio/activity';
import { CancelledFailure } from '@temporalio/common';

export interface AttemptOptions {
  /** From 1. */
  readonly attempt?: number;
  /** Heartbeat details that the attempt before left. */
  readonly details?: unknown;
  readonly signal?: AbortSignal;
  readonly onHeartbeat?: (details: unknown) => void;
  /** Called with every warning that is logged. */
  readonly onWarning?: (message: string) => void;
}

export function inActivity<R>(work: () => Promise<R>, options: AttemptOptions = {}): Promise<R> {
  const { attempt = 1, details, signal = new AbortController().signal, onHeartbeat } = options;
  const cancelled = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(new CancelledFailure('cancelled')), { once: true });
  });
  cancelled.catch(() => undefined);
  const beat = onHeartbeat ?? (() => undefined);
  const log = { warn: options.onWarning ?? (() => undefined) };
  const info = { attempt, heartbeatDetails: details };
  const context = Reflect.construct(Context, [info, cancelled, signal, beat, undefined, log]) as Context;
  return asyncLocalStorage.run(context, work);
}
