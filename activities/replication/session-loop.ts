/**
 * The delta loop as activity retries. Each attempt runs one cycle and then fails on purpose with `NextCycle`,
 * asking Temporal to start the next attempt when the interval is over: a week of cycles is a handful of history
 * events, a slot is used only while bytes move, and cancelling between cycles is instant.
 *
 * Real trouble is counted in the heartbeat details. After `TROUBLE_LIMIT` failing attempts in a row, or at once
 * when no retry can help, the session returns `stopped` with a health condition, so that the entity workflow can
 * show it; the entity then starts a new session after a pause.
 */
import { ApplicationFailure, ApplicationFailureCategory, CancelledFailure } from '@temporalio/common';
import { DrError } from '../../domain/errors.ts';
import type { SessionNotice, SessionOutcome } from '../../workflows/contracts/types.ts';
import type { Supervision } from '../supervise.ts';

const TROUBLE_LIMIT = 3;
const RETRY_DELAY_MS_MAX = 30_000;
/** A cycle that was deferred is looked at again after this. */
const DEFERRED_DELAY_MS = 10_000;

/** What a session keeps between its attempts. */
export interface SessionMemory {
  readonly failures: number;
}

interface CycleOptions<M extends SessionMemory> {
  readonly endsAt: string;
  /** The session before this one ended in trouble: return after the first good cycle, so that health clears. */
  readonly reportRecovery: boolean;
  readonly supervision: Supervision<M>;
  readonly start: M;
  /** One cycle; returns what to remember, when the next one is due, and what the item's health should show. */
  cycle(memory: M): Promise<CycleDone<M>>;
}

interface CycleDone<M> {
  readonly memory: M;
  readonly nextDelayMs: number;
  /** Ends the session, so that the item's health shows it. */
  readonly notice?: SessionNotice;
}

export async function runSessionAttempt<M extends SessionMemory>(
  options: CycleOptions<M>,
): Promise<SessionOutcome> {
  const { supervision } = options;
  const memory = supervision.previous ?? options.start;
  if (Date.now() >= Date.parse(options.endsAt)) return { outcome: 'sessionEnded' };
  let done: CycleDone<M>;
  try {
    done = await options.cycle(memory);
  } catch (error) {
    if (supervision.signal.aborted) throw new CancelledFailure('the session was cancelled');
    if (isDeferred(error)) return afterDeferral(error, memory, options);
    return afterTrouble(error, memory, supervision);
  }
  supervision.report({ ...done.memory, failures: 0 });
  if (done.notice !== undefined) return done.notice;
  if (options.reportRecovery) return { outcome: 'recovered' };
  throw nextCycle(done.nextDelayMs);
}

function isDeferred(error: unknown): error is DrError {
  return error instanceof DrError && error.code === 'DR_REPLICATION_DEFERRED';
}

/** No trouble, but the RPO grows: health says why as soon as it begins, and the session goes on looking. */
function afterDeferral<M extends SessionMemory>(
  { code, message, remedy }: DrError,
  memory: M,
  { supervision, reportRecovery }: CycleOptions<M>,
): SessionOutcome {
  supervision.report({ ...(supervision.latest() ?? memory), failures: 0 });
  if (reportRecovery) throw nextCycle(DEFERRED_DELAY_MS);
  const condition = { type: code, category: 'warning', reason: message, suggestion: remedy } as const;
  return { outcome: 'stopped', condition };
}

function afterTrouble<M extends SessionMemory>(
  error: unknown,
  memory: M,
  supervision: Supervision<M>,
): SessionOutcome {
  const failures = memory.failures + 1;
  // What the cycle has done before it failed stays done.
  supervision.report({ ...(supervision.latest() ?? memory), failures });
  const known =
    error instanceof DrError
      ? error
      : new DrError('DR_INTERNAL', { reason: String(error) }, { cause: error });
  if (known.outcome === 'retry' && failures < TROUBLE_LIMIT) {
    throw ApplicationFailure.create({
      type: known.code,
      message: known.message,
      details: [known.context],
      nextRetryDelay: Math.min(1_000 * 2 ** failures, RETRY_DELAY_MS_MAX),
    });
  }
  return {
    outcome: 'stopped',
    condition: {
      type: known.code,
      category: 'critical',
      reason: known.message,
      suggestion: known.remedy,
    },
  };
}

/** Ends an attempt so that the next one begins after the delay; no slot is held meanwhile. */
export function nextCycle(delayMs: number): ApplicationFailure {
  return ApplicationFailure.create({
    type: 'NextCycle',
    message: 'the next cycle is due',
    category: ApplicationFailureCategory.BENIGN,
    nextRetryDelay: Math.max(delayMs, 1),
  });
}
