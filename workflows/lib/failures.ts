/** What an activity, a child or an update failed with, in the words of the error catalogue. */
import {
  ActivityFailure,
  ApplicationFailure,
  CancellationScope,
  ChildWorkflowFailure,
  isCancellation,
  TimeoutFailure,
} from '@temporalio/workflow';
import {
  errorMessage,
  errorRemedy,
  isErrorCode,
  type ErrorCode,
  type ErrorContext,
} from '../../domain/errors.ts';
import type { JobError } from '../../domain/job.ts';

export function jobError(error: unknown): JobError {
  const failure = applicationFailureOf(error);
  const code = failure?.type ?? '';
  if (failure !== undefined && isErrorCode(code)) {
    const context = (failure.details?.[0] ?? {}) as ErrorContext;
    return { code, message: failure.message, remedy: errorRemedy(code, context) };
  }
  return knownError('DR_INTERNAL', { reason: reasonOf(error) });
}

/**
 * Inside a step that turns failures into facts: a step that somebody stopped has found out nothing. An activity of a
 * lost site ends as a timeout, not as a cancellation, so the scope is asked.
 */
export function rethrowIfCancelled(error: unknown): void {
  if (isCancellation(error) || CancellationScope.current().consideredCancelled) throw error;
}

/** Refuses an update. Only ApplicationFailure may leave a handler: anything else would fail the workflow task for ever. */
export function refusal(code: ErrorCode, context: ErrorContext): ApplicationFailure {
  return ApplicationFailure.create({
    type: code,
    message: errorMessage(code, context),
    nonRetryable: true,
    details: [context],
  });
}

/** What an earlier step of a runbook has left. */
export function present<T>(value: T | undefined): T {
  if (value === undefined) throw refusal('DR_INTERNAL', { reason: 'a step ran without what it builds on' });
  return value;
}

export function knownError(code: ErrorCode, context: ErrorContext): JobError {
  return { code, message: errorMessage(code, context), remedy: errorRemedy(code, context) };
}

function applicationFailureOf(error: unknown): ApplicationFailure | undefined {
  if (error instanceof ApplicationFailure) return error;
  if (error instanceof ActivityFailure || error instanceof ChildWorkflowFailure) {
    return applicationFailureOf(error.cause);
  }
  return undefined;
}

/** A timeout names the activity that nobody answered; the last failure Temporal kept says why it was retried. */
function reasonOf(error: unknown): string {
  if (error instanceof ActivityFailure && error.cause instanceof TimeoutFailure) {
    return `${error.activityType} did not finish in time`;
  }
  if (error instanceof Error) return error.message;
  return String(error);
}
