/**
 * One look at an application. Whatever a peer does is what was seen; thrown is the caller's abort, and what no further
 * look can change.
 */
import { DrError } from '../../domain/errors.ts';
import { DeadlineError, withDeadline } from '../azure/deadline.ts';

export type Observed = Readonly<Record<string, string | number | boolean>>;

export interface Look {
  readonly holds: boolean;
  /** For people: `refused the connection`, `200 in 31 ms`. */
  readonly saw: string;
  readonly observed: Observed;
}

/** A peer that stays silent costs one look, not all the time there is. */
const LOOK_MS_MAX = 10_000;

const words: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'the connection was refused',
  ECONNRESET: 'the connection was reset',
  EHOSTUNREACH: 'the host cannot be reached',
  ENETUNREACH: 'the network cannot be reached',
  ENOTFOUND: 'the name is not known',
  EPIPE: 'the connection was closed',
  ETIMEDOUT: 'the connection timed out',
};

/** What fails inside `work` was seen there. */
export async function look(signal: AbortSignal, work: (signal: AbortSignal) => Promise<Look>): Promise<Look> {
  signal.throwIfAborted();
  try {
    return await withDeadline(LOOK_MS_MAX, signal, work);
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof DeadlineError) return unseen(error.message);
    if (!Error.isError(error) || (error instanceof DrError && error.outcome !== 'retry')) throw error;
    return unseen(wordsOf(error));
  }
}

export function unseen(saw: string): Look {
  return { holds: false, saw, observed: {} };
}

function wordsOf(error: Error & { readonly code?: unknown; readonly errors?: readonly unknown[] }): string {
  const code = typeof error.code === 'string' ? error.code : '';
  const inner = error.errors?.find((each) => Error.isError(each));
  return words[code] ?? (error.message || (inner === undefined ? code || error.name : wordsOf(inner)));
}

/** Rejects with the signal's reason, after `close`, when it aborts before `work` has ended. */
export async function closing<T>(signal: AbortSignal, close: () => void, work: Promise<T>): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(signal.reason as Error);
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
    work.catch(() => undefined);
    close();
  }
}
