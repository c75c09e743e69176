/** Calls to Temporal, each bounded and failing in the words of the error catalogue. */
import type { Client, WorkflowHandle } from '@temporalio/client';
import { decodeArrayFromPayloads } from '@temporalio/common/lib/internal-non-workflow/index.js';
import { DrError } from '../domain/errors.ts';
import { taskQueues } from '../workflows/contracts/task-queues.ts';
import {
  catalogued,
  drError,
  isTimeout,
  isUnknownWorkflow,
  temporalError,
  whySilent,
} from './temporal-error.ts';

export interface PendingActivity {
  readonly activity: string;
  readonly attempt: number;
  /** First of the details it last beat with. */
  readonly details: unknown;
}

export interface ShortRun {
  readonly type: string;
  readonly workflowId: string;
  readonly input: object;
  readonly boundMs: number;
  /** The error when the time is up and no activity has told why. */
  readonly whenSilent: DrError;
}

export function temporalCalls(client: Client, address: string, timeoutMs: number) {
  const translated = async (error: unknown, boundMs: number) =>
    temporalError(error, address, isTimeout(error) ? await whySilent(address, boundMs) : '');

  const bounded = async <T>(call: () => Promise<T>, boundMs = timeoutMs): Promise<T> => {
    try {
      return await client.withDeadline(Date.now() + boundMs, call);
    } catch (error) {
      throw await translated(error, boundMs);
    }
  };

  /** A call to one workflow; `unknown` is the error when there is none of that id, or none any more. */
  const to = async <T>(
    workflowId: string,
    unknown: {
      readonly code: 'DR_ITEM_UNKNOWN' | 'DR_JOB_UNKNOWN' | 'DR_JOB_OVER';
      readonly context: DrError['context'];
    },
    call: (handle: WorkflowHandle) => Promise<T>,
    boundMs = timeoutMs,
  ): Promise<T> => {
    try {
      return await bounded(() => call(client.workflow.getHandle(workflowId)), boundMs);
    } catch (error) {
      if (isUnknownWorkflow(error)) throw new DrError(unknown.code, unknown.context, { cause: error });
      throw error;
    }
  };

  const raw = async (handle: WorkflowHandle) => (await handle.describe()).raw.pendingActivities ?? [];

  const decoded = (payloads: Parameters<typeof decodeArrayFromPayloads>[1]) =>
    decodeArrayFromPayloads(client.options.loadedDataConverter, payloads);

  const pending = async (handle: WorkflowHandle): Promise<PendingActivity[]> => {
    const found: PendingActivity[] = [];
    for (const { activityType, attempt, heartbeatDetails } of await raw(handle)) {
      const [details] = await decoded(heartbeatDetails?.payloads);
      found.push({ activity: activityType?.name ?? '', attempt: attempt ?? 1, details });
    }
    return found;
  };

  const lastFailure = async (handle: WorkflowHandle): Promise<DrError | undefined> => {
    for (const activity of await raw(handle)) {
      const info = activity.lastFailure?.applicationFailureInfo;
      const [context] = await decoded(info?.details?.payloads);
      const known = drError(info?.type ?? '', context);
      if (known !== undefined) return known;
    }
    return undefined;
  };

  /** Runs a short workflow and awaits it; what it still retries when the time is up becomes the answer. */
  const run = async <T>({ type, workflowId, input, boundMs, whenSilent }: ShortRun): Promise<T> => {
    const handle = await bounded(() =>
      client.workflow.start(type, {
        workflowId,
        taskQueue: taskQueues.control,
        args: [input],
        workflowIdConflictPolicy: 'USE_EXISTING',
      }),
    );
    try {
      return (await client.withDeadline(Date.now() + boundMs, () => handle.result())) as T;
    } catch (error) {
      const known = catalogued(error);
      if (known !== undefined) throw known;
      if (!isTimeout(error)) throw await translated(error, boundMs);
      throw (await bounded(() => lastFailure(handle))) ?? whenSilent;
    }
  };

  return { bounded, to, pending, run };
}
