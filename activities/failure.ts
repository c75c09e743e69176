/**
 * The one translation between the error catalogue and Temporal: `type` is the code, `details[0]` the context,
 * and only errors whose outcome is `retry` are retried. Anything that is no DrError is a bug or a lost
 * connection and is retried as DR_INTERNAL, so that a surprise never ends a runbook by itself.
 */
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { DrError } from '../domain/errors.ts';
import type { JobError } from '../domain/job.ts';

export function toApplicationFailure(error: unknown, nextRetryDelayMs?: number): Error {
  if (error instanceof ApplicationFailure || error instanceof CancelledFailure) return error;
  const known =
    error instanceof DrError
      ? error
      : new DrError('DR_INTERNAL', { reason: String(error) }, { cause: error });
  return ApplicationFailure.create({
    message: known.message,
    type: known.code,
    nonRetryable: known.outcome !== 'retry',
    details: [known.context],
    ...(known.cause instanceof Error ? { cause: known.cause } : {}),
    ...(nextRetryDelayMs === undefined ? {} : { nextRetryDelay: nextRetryDelayMs }),
  });
}

/** A problem that a check found, as it stands in a job. */
export function toJobError({ code, message, remedy }: DrError): JobError {
  return { code, message, remedy };
}
