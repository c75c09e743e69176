/** One item on a real Temporal server with a scripted world, as a client drives it. Each test gets a new item and world. */
import { afterAll, afterEach, beforeAll, beforeEach, expect } from '@jest/globals';
import { WithStartWorkflowOperation, type WorkflowHandle } from '@temporalio/client';
import { Worker } from '@temporalio/worker';
import { randomUUID } from 'node:crypto';
import { asId, type OperationId, type ProtectedItemId } from '../../../domain/ids.ts';
import { waitFor } from '../../../lab/wait.ts';
import { workflowIds } from '../../../workflows/contracts/ids.ts';
import {
  cleanupTestFailoverUpdate,
  commitUpdate,
  describeQuery,
  disableUpdate,
  failoverUpdate,
  protectUpdate,
  testFailoverUpdate,
} from '../../../workflows/contracts/messages.ts';
import { taskQueues } from '../../../workflows/contracts/task-queues.ts';
import type { ItemView, ProtectInput } from '../../../workflows/contracts/types.ts';
import { ScriptedWorld } from './scripted-world.ts';
import { REGION, SITE, startWorkflowServer, type WorkflowServer } from './workflow-server.ts';

export const WITHIN_MS = 20_000;
const requestedBy = { principal: 'test', requestId: 'r1' };

interface Stage {
  server: WorkflowServer;
  world: ScriptedWorld;
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
  afterAll(() => stage.server.stop());
  beforeEach(async () => {
    stage.world = new ScriptedWorld();
    stage.itemId = asId(randomUUID());
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
export const until = (what: string, holds: (item: ItemView) => boolean) =>
  waitFor(() => (stage.world.item !== undefined && holds(stage.world.item) ? stage.world.item : undefined), {
    what,
    withinMs: WITHIN_MS,
  });
export const jobEnds = (id: string) =>
  waitFor(() => (stage.world.jobs.get(id)?.endedAt === undefined ? undefined : stage.world.jobs.get(id)), {
    what: `the end of job ${id}`,
    withinMs: WITHIN_MS,
  });
export const codeOf = (refused: Promise<unknown>) =>
  refused.then(
    () => 'accepted',
    (error: { cause?: { type?: string } }) => error.cause?.type,
  );

export function protectInput(): ProtectInput {
  return {
    operationId: operation(),
    requestedBy,
    itemId: stage.itemId,
    machineName: 'web-01',
    vcenterId: asId('lab'),
    site: SITE,
    policy: { id: asId('p'), intervalSeconds: 5, retentionHours: 24, rpoThresholdSeconds: 60 },
    target: { location: REGION, vmSize: 'Standard_D2s_v5', subnetId: '/subnets/production' },
    excludedDisks: [],
  };
}

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

export const drill = (operationId = operation()) =>
  handle().executeUpdate(testFailoverUpdate, {
    args: [{ operationId, requestedBy, choice: { kind: 'latest' }, subnetId: '/subnets/drill' }],
    updateId: operationId,
  });
export const failover = (operationId = operation(), shutdownSource = true) =>
  handle().executeUpdate(failoverUpdate, {
    args: [{ operationId, requestedBy, choice: { kind: 'latest' }, shutdownSource }],
    updateId: operationId,
  });
export const commit = (operationId = operation()) =>
  handle().executeUpdate(commitUpdate, { args: [{ operationId, requestedBy }], updateId: operationId });
export const cleanup = (operationId = operation()) =>
  handle().executeUpdate(cleanupTestFailoverUpdate, {
    args: [{ operationId, requestedBy, notes: 'done' }],
    updateId: operationId,
  });

export const disable = (operationId = operation()) =>
  handle().executeUpdate(disableUpdate, { args: [{ operationId, requestedBy }], updateId: operationId });

export const isProtected = () => until('the item to be protected', (item) => item.state === 'protected');
export const bothSessionsRun = () =>
  waitFor(() => stage.world.running.shipSession === 1 && stage.world.running.applySession === 1, {
    what: 'both sessions to run',
    withinMs: WITHIN_MS,
  });
