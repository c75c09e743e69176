/** Every activity's failure leaves in the words of the catalogue and is logged once, with its cause. */
import type { Context } from '@temporalio/activity';
import { ApplicationFailure, ApplicationFailureCategory, CancelledFailure } from '@temporalio/common';
import type { ActivityInterceptorsFactory } from '@temporalio/worker';
import type { Logger } from 'pino';
import { toApplicationFailure } from '../../activities/failure.ts';

export function activityFailures(log: Logger): ActivityInterceptorsFactory {
  return (context: Context) => ({
    inbound: {
      async execute(input, next) {
        try {
          return await next(input);
        } catch (error) {
          const failure = toApplicationFailure(error);
          if (isTrouble(failure)) {
            log.warn(
              {
                activity: context.info.activityType,
                attempt: context.info.attempt,
                workflowId: context.info.workflowExecution?.workflowId,
                code: failure instanceof ApplicationFailure ? failure.type : undefined,
                err: error,
              },
              'activity failed',
            );
          }
          throw failure;
        }
      },
    },
  });
}

function isTrouble(failure: Error): boolean {
  if (failure instanceof CancelledFailure) return false;
  return !(failure instanceof ApplicationFailure && failure.category === ApplicationFailureCategory.BENIGN);
}
