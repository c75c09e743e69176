/** The runbooks as they are reached through a Temporal client. The update id is the operation id: a repeated call is the same job. */
import { randomUUID } from 'node:crypto';
import { WithStartWorkflowOperation, type Client, type WorkflowHandle } from '@temporalio/client';
import { decodeArrayFromPayloads } from '@temporalio/common/lib/internal-non-workflow/index.js';
import { z } from 'zod';
import { DrError } from '../domain/errors.ts';
import type { ProtectedItemId } from '../domain/ids.ts';
import type { PeerCertificate } from '../domain/ports.ts';
import { workflowIds } from '../workflows/contracts/ids.ts';
import {
  cleanupTestFailoverUpdate,
  commitUpdate,
  describeQuery,
  disableUpdate,
  failoverUpdate,
  protectUpdate,
  testFailoverUpdate,
  workflowTypes,
} from '../workflows/contracts/messages.ts';
import { taskQueues } from '../workflows/contracts/task-queues.ts';
import type { DiscoveryResult, OperationAccepted } from '../workflows/contracts/types.ts';
import { replicationProgressSchema, replicationTotalsSchema } from '../api/replication.ts';
import type { ActivityProgress, Runbooks } from './runbooks.ts';
import {
  catalogued,
  drError,
  isTimeout,
  isUnknownWorkflow,
  temporalError,
  whySilent,
} from './temporal-error.ts';

export interface TemporalRunbooksOptions {
  readonly client: Client;
  /** For messages. */
  readonly address: string;
  /** Bound of every single call; default 10 s. */
  readonly timeoutMs?: number;
  /** Bound of waiting for a discovery, which goes on after it; default 60 s. */
  readonly discoveryTimeoutMs?: number;
}

/** Beating activities whose details are shown; others are not replication. */
const replicationActivities = new Set(['initialReplication', 'shipSession', 'applySession']);

/** A close-up has the catalogue to fall back on: it need not wait as long as a command. */
const LOOK_MS_MAX = 4_000;

const detailsSchema = z.object({
  progress: replicationProgressSchema.optional().catch(undefined),
  totals: replicationTotalsSchema.optional().catch(undefined),
});

export function createTemporalRunbooks(options: TemporalRunbooksOptions): Runbooks {
  const { client, address } = options;
  const timeoutMs = options.timeoutMs ?? 10_000;
  const lookTimeoutMs = Math.min(timeoutMs, LOOK_MS_MAX);
  const discoveryTimeoutMs = options.discoveryTimeoutMs ?? 60_000;

  const bounded = async <T>(call: () => Promise<T>, boundMs = timeoutMs): Promise<T> => {
    try {
      return await client.withDeadline(Date.now() + boundMs, call);
    } catch (error) {
      throw await translated(error, boundMs);
    }
  };
  const translated = async (error: unknown, boundMs: number) =>
    temporalError(error, address, isTimeout(error) ? await whySilent(address, boundMs) : '');
  const handleOf = (item: ProtectedItemId) => client.workflow.getHandle(workflowIds.protectedItem(item));
  const ofItem = async <T>(
    item: ProtectedItemId,
    call: (handle: WorkflowHandle) => Promise<T>,
    boundMs = timeoutMs,
  ): Promise<T> => {
    try {
      return await bounded(() => call(handleOf(item)), boundMs);
    } catch (error) {
      if (isUnknownWorkflow(error)) throw new DrError('DR_ITEM_UNKNOWN', { item }, { cause: error });
      throw error;
    }
  };

  /** Runs a short workflow and awaits it; what it still retries when the time is up becomes the answer. */
  const awaited = async <T>(
    run: { readonly type: string; readonly workflowId: string; readonly input: object },
    boundMs: number,
    whenSilent: () => DrError,
  ): Promise<T> => {
    const handle = await bounded(() =>
      client.workflow.start(run.type, {
        workflowId: run.workflowId,
        taskQueue: taskQueues.control,
        args: [run.input],
        workflowIdConflictPolicy: 'USE_EXISTING',
      }),
    );
    try {
      return (await client.withDeadline(Date.now() + boundMs, () => handle.result())) as T;
    } catch (error) {
      const known = catalogued(error);
      if (known !== undefined) throw known;
      if (!isTimeout(error)) throw await translated(error, boundMs);
      throw (await bounded(() => lastFailure(handle))) ?? whenSilent();
    }
  };

  const pending = async (handle: WorkflowHandle) => (await handle.describe()).raw.pendingActivities ?? [];

  const decoded = (payloads: Parameters<typeof decodeArrayFromPayloads>[1]) =>
    decodeArrayFromPayloads(client.options.loadedDataConverter, payloads);

  const lastFailure = async (handle: WorkflowHandle): Promise<DrError | undefined> => {
    for (const activity of await pending(handle)) {
      const info = activity.lastFailure?.applicationFailureInfo;
      const [context] = await decoded(info?.details?.payloads);
      const known = drError(info?.type ?? '', context);
      if (known !== undefined) return known;
    }
    return undefined;
  };

  return {
    protect: (input) =>
      bounded(() =>
        client.workflow.executeUpdateWithStart(protectUpdate, {
          updateId: input.operationId,
          args: [input],
          startWorkflowOperation: new WithStartWorkflowOperation(workflowTypes.protectedItem, {
            workflowId: workflowIds.protectedItem(input.itemId),
            taskQueue: taskQueues.control,
            args: [{}],
            workflowIdConflictPolicy: 'USE_EXISTING',
          }),
        }),
      ),
    testFailover: (item, input) =>
      ofItem<OperationAccepted>(item, (handle) =>
        handle.executeUpdate(testFailoverUpdate, { updateId: input.operationId, args: [input] }),
      ),
    cleanupTestFailover: (item, input) =>
      ofItem<OperationAccepted>(item, (handle) =>
        handle.executeUpdate(cleanupTestFailoverUpdate, { updateId: input.operationId, args: [input] }),
      ),
    failover: (item, input) =>
      ofItem<OperationAccepted>(item, (handle) =>
        handle.executeUpdate(failoverUpdate, { updateId: input.operationId, args: [input] }),
      ),
    commit: (item, input) =>
      ofItem<OperationAccepted>(item, (handle) =>
        handle.executeUpdate(commitUpdate, { updateId: input.operationId, args: [input] }),
      ),
    disable: (item, input) =>
      ofItem<OperationAccepted>(item, (handle) =>
        handle.executeUpdate(disableUpdate, { updateId: input.operationId, args: [input] }),
      ),
    describeItem: (item) => ofItem(item, (handle) => handle.query(describeQuery), lookTimeoutMs),
    progress: (item) =>
      ofItem(
        item,
        async (handle) => {
          const found: ActivityProgress[] = [];
          for (const { activityType, attempt, heartbeatDetails } of await pending(handle)) {
            const activity = activityType?.name ?? '';
            if (!replicationActivities.has(activity)) continue;
            const [details] = await decoded(heartbeatDetails?.payloads);
            found.push({ activity, attempt: attempt ?? 1, ...shown(details) });
          }
          return found;
        },
        lookTimeoutMs,
      ),
    probeVCenter: (site, url) =>
      awaited<PeerCertificate>(
        {
          type: workflowTypes.vcenterProbe,
          workflowId: workflowIds.vcenterProbe(randomUUID()),
          input: { site, url },
        },
        timeoutMs,
        () => silent(url, site),
      ),
    discover: (site, vcenterId) =>
      awaited<DiscoveryResult>(
        {
          type: workflowTypes.vcenterDiscovery,
          workflowId: workflowIds.vcenterDiscovery(vcenterId),
          input: { site, vcenterId },
        },
        discoveryTimeoutMs,
        () => silent(vcenterId, site),
      ),
  };
}

function shown(details: unknown): Pick<ActivityProgress, 'progress' | 'totals'> {
  const parsed = detailsSchema.safeParse(details);
  const { progress, totals } = parsed.success ? parsed.data : {};
  return { ...(progress === undefined ? {} : { progress }), ...(totals === undefined ? {} : { totals }) };
}

function silent(url: string, site: string): DrError {
  return new DrError('DR_VCENTER_UNREACHABLE', {
    url,
    reason: `the process server of site "${site}" has not finished yet`,
  });
}
