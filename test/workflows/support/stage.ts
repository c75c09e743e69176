/** One item on a real Temporal server with a scripted world, as a client drives it. Each test gets a new item and world. */
import { afterAll, afterEach, beforeAll, beforeEach, expect } from '@jest/globals';
import { WithStartWorkflowOperation, type WorkflowHandle } from '@temporalio/client';
import { Worker } from '@temporalio/worker';
import { randomUUID } from 'node:crypto';
import { asId, type OperationId, type ProtectedItemId } from '../../../domain/ids.ts';
import type { Job, JobDecision } from '../../../domain/job.ts';
import { waitFor } from '../../../lab/wait.ts';
import { workflowIds } from '../../../workflows/contracts/ids.ts';
import {
  decideUpdate,
  describeQuery,
  operateUpdate,
  protectUpdate,
} from '../../../workflows/contracts/messages.ts';
import { taskQueues } from '../../../workflows/contracts/task-queues.ts';
import type { ItemView, OperationRequest } from '../../../workflows/contracts/types.ts';
import { stopRecordingStacks } from './sandbox-sdk.ts';
import { ServedWorld } from './served-world.ts';
import { startWorkflowServer, type WorkflowServer } from './workflow-server.ts';
import { protectInput as protectInputOf } from './world/samples.ts';

export const WITHIN_MS = 20_000;
const requestedBy = { principal: 'test', requestId: 'r1' };

interface Stage {
  server: WorkflowServer;
  world: ServedWorld;
  serving: { stop(): Promise<void> };
  itemId: ProtectedItemId;
}

/** Filled by the hooks of `setStage`. */
export const stage = {} as Stage;

/** Call once in a test file. */
export function setStage(): void {
  beforeAll(async () => {
    stage.server = await startWorkflowServer();
  }, 400_000);
  afterAll(async () => {
    stopRecordingStacks();
    await stage.server.stop();
  });
  beforeEach(async () => {
    stage.itemId = asId(randomUUID());
    stage.world = new ServedWorld(stage.itemId);
    stage.serving = await stage.server.serve(stage.world.activities());
  });
  afterEach(async () => {
    stage.world.release();
    await handle()
      .terminate()
      .catch(() => undefined);
    await stage.serving.stop();
  });
}

/** Every history that the tests of this file left runs through the present bundle again. */
export async function expectHistoriesToReplay(): Promise<void> {
  let replayed = 0;
  const histories = stage.server.client.workflow.list().intoHistories();
  const options = { workflowBundle: { codePath: stage.server.bundlePath } };
  for await (const result of Worker.runReplayHistories(options, histories)) {
    expect(result.error).toBeUndefined();
    replayed += 1;
  }
  expect(replayed).toBeGreaterThan(4);
}

export const handle = (): WorkflowHandle =>
  stage.server.client.workflow.getHandle(workflowIds.protectedItem(stage.itemId));
const operation = (): OperationId => asId(randomUUID());
export const view = (): Promise<ItemView> => handle().query(describeQuery);
const shown = (): ItemView | undefined => stage.world.world.item;
export const until = (what: string, holds: (item: ItemView) => boolean, withinMs = WITHIN_MS) =>
  waitFor(() => shownIf(holds), { what, withinMs });
function shownIf(holds: (item: ItemView) => boolean): ItemView | undefined {
  const item = shown();
  return item !== undefined && holds(item) ? item : undefined;
}
const jobIf = (id: string, holds: (job: Job) => boolean): Job | undefined => {
  const job = stage.world.world.jobs.get(id);
  return job !== undefined && holds(job) ? job : undefined;
};
export const jobEnds = (id: string) =>
  waitFor(() => jobIf(id, ({ endedAt }) => endedAt !== undefined), {
    what: `the end of job ${id}`,
    withinMs: WITHIN_MS,
  });
/** The job waits for an operator. */
export const jobWaits = (id: string) =>
  waitFor(() => jobIf(id, ({ state }) => state === 'waitingForInput'), {
    what: `job ${id} to wait`,
    withinMs: WITHIN_MS,
  });
export const codeOf = (refused: Promise<unknown>) =>
  refused.then(
    () => 'accepted',
    (error: { cause?: { type?: string } }) => error.cause?.type,
  );

export const protectInput = () => protectInputOf({ itemId: stage.itemId, operationId: operation() });

export async function protect(input = protectInput()) {
  return stage.server.client.workflow.executeUpdateWithStart(protectUpdate, {
    args: [input],
    updateId: input.operationId,
    startWorkflowOperation: new WithStartWorkflowOperation('protectedItem', {
      workflowId: workflowIds.protectedItem(stage.itemId),
      taskQueue: taskQueues.control,
      args: [{}],
      workflowIdConflictPolicy: 'USE_EXISTING',
    }),
  });
}

type Named<O> = Omit<Extract<OperationRequest, { operation: O }>, 'operationId' | 'requestedBy'>;

function operate<O extends OperationRequest['operation']>(named: Named<O>) {
  const operationId = operation();
  const request = { ...named, operationId, requestedBy } as unknown as OperationRequest;
  return handle().executeUpdate(operateUpdate, { args: [request], updateId: operationId });
}

export const drill = () =>
  operate<'testFailover'>({
    operation: 'testFailover',
    choice: { kind: 'latest' },
    subnetId: '/subnets/drill',
  });
export const failover = () =>
  operate<'failover'>({ operation: 'failover', choice: { kind: 'latest' }, shutdownSource: true });
export const cleanup = () =>
  operate<'cleanupTestFailover'>({ operation: 'cleanupTestFailover', notes: 'done' });
export const commit = () => operate<'commit'>({ operation: 'commit' });
export const reprotect = () => operate<'reprotect'>({ operation: 'reprotect', place: {} });
export const failback = () => operate<'failback'>({ operation: 'failback' });
export const reEnable = () => operate<'reEnable'>({ operation: 'reEnable' });
export const verify = () => operate<'verify'>({ operation: 'verify', choice: { kind: 'latest' } });
export const disable = () => operate<'disable'>({ operation: 'disable' });

export const runHandle = (operationId: OperationId) =>
  stage.server.client.workflow.getHandle(workflowIds.run(stage.itemId, operationId));
export const decide = (operationId: OperationId, decision: JobDecision) =>
  runHandle(operationId).executeUpdate(decideUpdate, { args: [{ decision, requestedBy, reason: 'a test' }] });

export const isProtected = () => until('the item to be protected', (item) => item.state === 'protected');
/** How many of each run. */
export const sessions = () => stage.world.world.sessions;
export const bothSessionsRun = () =>
  waitFor(() => sessions().shipSession === 1 && sessions().applySession === 1, {
    what: 'both sessions to run',
    withinMs: WITHIN_MS,
  });
