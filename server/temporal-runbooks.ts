/** The runbooks as they are reached through a Temporal client. The update id is the operation id: a repeated call is the same job. */
import { randomUUID } from 'node:crypto';
import { WithStartWorkflowOperation, type Client, type WorkflowHandle } from '@temporalio/client';
import { z } from 'zod';
import { replicationProgressSchema, replicationTotalsSchema, scrubTotalsSchema } from '../api/replication.ts';
import { DrError } from '../domain/errors.ts';
import type { OperationId, ProtectedItemId } from '../domain/ids.ts';
import { workflowIds } from '../workflows/contracts/ids.ts';
import {
  decideUpdate,
  describeQuery,
  jobQuery,
  operateUpdate,
  protectUpdate,
  workflowTypes,
} from '../workflows/contracts/messages.ts';
import { taskQueues } from '../workflows/contracts/task-queues.ts';
import type { ActivityProgress, Runbooks } from './runbooks.ts';
import { temporalCalls, type PendingActivity } from './temporal-calls.ts';
import { planRunbooks } from './temporal-plans.ts';
import { drillSchedules } from './temporal-schedules.ts';

export interface TemporalRunbooksOptions {
  readonly client: Client;
  /** For messages. */
  readonly address: string;
  /** Bound of every single call; default 10 s. */
  readonly timeoutMs?: number;
  /** Bound of waiting for a discovery or a check, which goes on after it; default 80 s, less than clients wait. */
  readonly runTimeoutMs?: number;
}

/** Beating activities whose details are shown; others are not replication. */
const replicationActivities = new Set([
  'initialReplication',
  'shipSession',
  'applySession',
  'shipDifferences',
  'hashPoint',
  'comparePoint',
  'reverseFirstCopy',
  'shipReverseSession',
  'landSession',
]);

/** A close-up has the catalogue to fall back on: it need not wait as long as a command. */
const LOOK_MS_MAX = 4_000;

/** A simulation goes on without. */
const REGION_LOOK_MS = 10_000;
const PRICE_LOOK_MS = 20_000;

const detailsSchema = z.object({
  progress: replicationProgressSchema.optional().catch(undefined),
  totals: replicationTotalsSchema.optional().catch(undefined),
  scrub: scrubTotalsSchema.optional().catch(undefined),
  applyLag: z.object({ bytes: z.number(), seconds: z.number() }).optional().catch(undefined),
});

export function createTemporalRunbooks(options: TemporalRunbooksOptions): Runbooks {
  const timeoutMs = options.timeoutMs ?? 10_000;
  const lookMs = Math.min(timeoutMs, LOOK_MS_MAX);
  const runMs = options.runTimeoutMs ?? 80_000;
  const temporal = temporalCalls(options.client, options.address, timeoutMs);

  const toItem = <T>(item: ProtectedItemId, call: (handle: WorkflowHandle) => Promise<T>, boundMs?: number) =>
    temporal.to(
      workflowIds.protectedItem(item),
      { code: 'DR_ITEM_UNKNOWN', context: { item } },
      call,
      boundMs,
    );

  const toRun = <T>(
    item: ProtectedItemId,
    job: OperationId,
    call: (handle: WorkflowHandle) => Promise<T>,
    boundMs?: number,
  ) => temporal.to(workflowIds.run(item, job), { code: 'DR_JOB_UNKNOWN', context: { job } }, call, boundMs);

  const replicationOf = async (handle: WorkflowHandle): Promise<ActivityProgress[]> =>
    (await temporal.pending(handle)).filter(({ activity }) => replicationActivities.has(activity)).map(shown);

  return {
    ...planRunbooks(options.client, temporal, lookMs),
    ...drillSchedules(options.client, temporal),

    protect: (input) =>
      temporal.bounded(() =>
        options.client.workflow.executeUpdateWithStart(protectUpdate, {
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

    operate: (item, request) =>
      toItem(item, (handle) =>
        handle.executeUpdate(operateUpdate, { updateId: request.operationId, args: [request] }),
      ),

    decide: (item, job, decision) =>
      temporal.to(
        workflowIds.run(item, job),
        { code: 'DR_JOB_OVER', context: { job, state: 'has ended' } },
        (handle) => handle.executeUpdate(decideUpdate, { args: [decision] }),
      ),

    describeItem: (item) => toItem(item, (handle) => handle.query(describeQuery), lookMs),

    describeJob: (item, job) => toRun(item, job, (handle) => handle.query(jobQuery), lookMs),

    progress: (item, job) =>
      job === undefined ? toItem(item, replicationOf, lookMs) : toRun(item, job, replicationOf, lookMs),

    check: (input) =>
      temporal.run({
        type: workflowTypes.itemCheck,
        workflowId: workflowIds.itemCheck(randomUUID()),
        input,
        boundMs: runMs,
        whenSilent: silent(input.view.vcenterId, input.view.spec?.site ?? ''),
      }),

    lookAtRegion: (input) =>
      temporal.run({
        type: workflowTypes.regionLook,
        workflowId: workflowIds.regionLook(randomUUID()),
        input,
        boundMs: REGION_LOOK_MS,
        whenSilent: new DrError('DR_AZURE_UNREACHABLE', {
          reason: `no recovery-site worker of ${input.location} answers`,
        }),
      }),

    priceMachines: (input) =>
      temporal.run({
        type: workflowTypes.priceLook,
        workflowId: workflowIds.priceLook(randomUUID()),
        input,
        boundMs: PRICE_LOOK_MS,
        whenSilent: new DrError('DR_AZURE_PRICES_UNREADABLE', {
          reason: `the recovery-site worker of ${input.location} has not answered within ${PRICE_LOOK_MS / 1_000} s`,
        }),
      }),

    probeVCenter: (site, url) =>
      temporal.run({
        type: workflowTypes.vcenterProbe,
        workflowId: workflowIds.vcenterProbe(randomUUID()),
        input: { site, url },
        boundMs: timeoutMs,
        whenSilent: silent(url, site),
      }),

    addVCenter: (input) =>
      temporal.run({
        type: workflowTypes.vcenterAdd,
        workflowId: workflowIds.vcenterAdd(input.operationId),
        input,
        boundMs: runMs,
        whenSilent: silent(input.vcenterId, input.site),
      }),

    discover: (site, vcenterId) =>
      temporal.run({
        type: workflowTypes.vcenterDiscovery,
        workflowId: workflowIds.vcenterDiscovery(vcenterId),
        input: { site, vcenterId },
        boundMs: runMs,
        whenSilent: silent(vcenterId, site),
      }),
  };
}

function shown({ activity, attempt, details }: PendingActivity): ActivityProgress {
  const parsed = detailsSchema.safeParse(details);
  const { progress, totals, scrub, applyLag } = parsed.success ? parsed.data : {};
  return {
    activity,
    attempt,
    ...(progress === undefined ? {} : { progress }),
    ...(totals === undefined ? {} : { totals }),
    ...(scrub === undefined ? {} : { scrub }),
    ...(applyLag === undefined ? {} : { applyLagBytes: applyLag.bytes, applyLagSeconds: applyLag.seconds }),
  };
}

function silent(url: string, site: string): DrError {
  return new DrError('DR_VCENTER_UNREACHABLE', {
    url,
    reason: `the process server of site "${site}" has not finished yet`,
  });
}
