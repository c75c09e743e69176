import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { WithStartWorkflowOperation, type WorkflowHandle } from '@temporalio/client';
import { Worker } from '@temporalio/worker';
import { randomUUID } from 'node:crypto';
import { DrError } from '../../domain/errors.ts';
import { asId, type OperationId, type ProtectedItemId } from '../../domain/ids.ts';
import { waitFor } from '../../lab/wait.ts';
import { workflowIds } from '../../workflows/contracts/ids.ts';
import {
  cleanupTestFailoverUpdate,
  commitUpdate,
  describeQuery,
  disableUpdate,
  failoverUpdate,
  protectUpdate,
  testFailoverUpdate,
} from '../../workflows/contracts/messages.ts';
import { taskQueues } from '../../workflows/contracts/task-queues.ts';
import type { ItemView, ProtectInput } from '../../workflows/contracts/types.ts';
import { ScriptedWorld } from './support/scripted-world.ts';
import { REGION, SITE, startWorkflowServer, type WorkflowServer } from './support/workflow-server.ts';

const WITHIN_MS = 20_000;
const requestedBy = { principal: 'test', requestId: 'r1' };
let server: WorkflowServer;
let world: ScriptedWorld;
let serving: { stop(): Promise<void> };
let itemId: ProtectedItemId;
const started: string[] = [];

beforeAll(async () => {
  server = await startWorkflowServer();
}, 400_000);
afterAll(() => server.stop());

beforeEach(async () => {
  world = new ScriptedWorld();
  itemId = asId(randomUUID());
  serving = await server.serve(world.activities());
});
afterEach(async () => {
  world.release();
  started.push(workflowIds.protectedItem(itemId));
  await handle()
    .terminate()
    .catch(() => undefined);
  await serving.stop();
});

const handle = (): WorkflowHandle => server.client.workflow.getHandle(workflowIds.protectedItem(itemId));
const operation = (): OperationId => asId(randomUUID());
const view = (): Promise<ItemView> => handle().query(describeQuery);
const until = (what: string, holds: (item: ItemView) => boolean) =>
  waitFor(() => (world.item !== undefined && holds(world.item) ? world.item : undefined), {
    what,
    withinMs: WITHIN_MS,
  });
const jobEnds = (id: string) =>
  waitFor(() => (world.jobs.get(id)?.endedAt === undefined ? undefined : world.jobs.get(id)), {
    what: `the end of job ${id}`,
    withinMs: WITHIN_MS,
  });
const codeOf = (refused: Promise<unknown>) =>
  refused.then(
    () => 'accepted',
    (error: { cause?: { type?: string } }) => error.cause?.type,
  );

function protectInput(): ProtectInput {
  return {
    operationId: operation(),
    requestedBy,
    itemId,
    machineName: 'web-01',
    vcenterId: asId('lab'),
    site: SITE,
    policy: { id: asId('p'), intervalSeconds: 5, retentionHours: 24, rpoThresholdSeconds: 60 },
    target: { location: REGION, vmSize: 'Standard_D2s_v5', subnetId: '/subnets/production' },
    excludedDisks: [],
  };
}

async function protect(input = protectInput()) {
  return server.client.workflow.executeUpdateWithStart(protectUpdate, {
    args: [input],
    updateId: input.operationId,
    startWorkflowOperation: new WithStartWorkflowOperation('protectedItem', {
      workflowId: workflowIds.protectedItem(itemId),
      taskQueue: taskQueues.control,
      args: [{}],
      workflowIdConflictPolicy: 'USE_EXISTING',
    }),
  });
}

const drill = (operationId = operation()) =>
  handle().executeUpdate(testFailoverUpdate, {
    args: [{ operationId, requestedBy, choice: { kind: 'latest' }, subnetId: '/subnets/drill' }],
    updateId: operationId,
  });
const failover = (operationId = operation(), shutdownSource = true) =>
  handle().executeUpdate(failoverUpdate, {
    args: [{ operationId, requestedBy, choice: { kind: 'latest' }, shutdownSource }],
    updateId: operationId,
  });
const commit = (operationId = operation()) =>
  handle().executeUpdate(commitUpdate, { args: [{ operationId, requestedBy }], updateId: operationId });
const cleanup = (operationId = operation()) =>
  handle().executeUpdate(cleanupTestFailoverUpdate, {
    args: [{ operationId, requestedBy, notes: 'done' }],
    updateId: operationId,
  });

const disable = (operationId = operation()) =>
  handle().executeUpdate(disableUpdate, { args: [{ operationId, requestedBy }], updateId: operationId });

const isProtected = () => until('the item to be protected', (item) => item.state === 'protected');
const bothSessionsRun = () =>
  waitFor(() => world.running.shipSession === 1 && world.running.applySession === 1, {
    what: 'both sessions to run',
    withinMs: WITHIN_MS,
  });

describe('protect', () => {
  it('replicates once the machine was checked, and its job succeeds with every task', async () => {
    const { operationId } = await protect();
    const item = await isProtected();
    await bothSessionsRun();
    expect(item.activeLocation).toBe('onPremises');
    const job = await jobEnds(operationId);
    expect(job?.state).toBe('succeeded');
    expect(job?.tasks.map((task) => task.state)).toEqual(job?.tasks.map(() => 'succeeded'));
  });

  it('leaves a refused machine free to be protected again', async () => {
    world.failing.set(
      'checkMachine',
      new DrError('DR_MACHINE_DISK_RDM', { disk: 'd', machine: 'm', backing: 'rdm' }),
    );
    const { operationId } = await protect();
    expect((await jobEnds(operationId))?.error?.code).toBe('DR_MACHINE_DISK_RDM');
    await until('the item to be refused', (item) => item.state === 'enablingFailed');
    await handle().result();
    world.failing.clear();
    await protect();
    await isProtected();
  });

  it('refuses a second protection of the same machine', async () => {
    await protect();
    await isProtected();
    expect(await codeOf(protect())).toBe('DR_MACHINE_ALREADY_PROTECTED');
  });

  it('takes a repeated request for the same operation', async () => {
    const input = protectInput();
    const [first, second] = [await protect(input), await protect(input)];
    expect(second).toEqual(first);
  });
});

describe('initial replication', () => {
  const refused = new DrError('DR_VCENTER_CREDENTIALS', { url: 'u', username: 'n' });

  it('shows a trouble that no retry can help as health, and goes on when it has passed', async () => {
    world.failing.set('initialReplication', refused);
    await protect();
    await until('health to be critical', (item) => item.health === 'critical');
    world.failing.clear();
    const item = await isProtected();
    expect(item.conditions).toEqual([]);
  }, 40_000);

  it('can be given up by ending protection, and the machine protected again', async () => {
    world.failing.set('initialReplication', refused);
    const { operationId } = await protect();
    await until('health to be critical', (item) => item.health === 'critical');
    const ended = await disable();
    expect((await jobEnds(ended.operationId))?.state).toBe('succeeded');
    expect((await jobEnds(operationId))?.state).toBe('cancelled');
    await handle().result();
    expect(world.item?.state).toBe('disabled');
    world.failing.clear();
    await protect();
    await isProtected();
  }, 40_000);
});

describe('disable', () => {
  it('stops replication, purges the storage account and ends the item', async () => {
    await protect();
    await isProtected();
    await bothSessionsRun();
    const { operationId } = await disable();
    expect((await jobEnds(operationId))?.state).toBe('succeeded');
    await handle().result();
    expect(world.running).toEqual({ shipSession: 0, applySession: 0 });
    const order = ['removeProductSnapshots', 'purgeItem'];
    expect(world.calls.filter((call) => order.includes(call))).toEqual(order);
  });

  it('is refused while a drill exists', async () => {
    await protect();
    await isProtected();
    await drill();
    await until('the drill to run', (item) => item.drill.state === 'running' && item.running === undefined);
    expect(await codeOf(disable())).toBe('DR_OPERATION_REFUSED');
  });
});

describe('replication', () => {
  it('shows trouble as health and clears it after a good cycle', async () => {
    const trouble = {
      type: 'DR_VCENTER_UNREACHABLE',
      category: 'critical',
      reason: 'r',
      suggestion: 's',
    } as const;
    world.sessionAnswers.shipSession.push(
      { outcome: 'stopped', condition: trouble },
      { outcome: 'recovered' },
    );
    await protect();
    const troubled = await until('the condition', (item) => item.conditions.length > 0);
    expect(troubled.health).toBe('critical');
    expect(troubled.state).not.toBe('failoverFailed');
    const well = await until('health to be normal again', (item) => item.health === 'normal');
    expect(well.conditions).toEqual([]);
  }, 40_000);

  it('continues as new with its state when a session ends', async () => {
    await protect();
    await isProtected();
    await bothSessionsRun();
    const before = await handle().describe();
    world.sessionAnswers.shipSession.push({ outcome: 'sessionEnded' });
    await serving.stop();
    // A new worker gets the session's next attempt, which ends it.
    serving = await server.serve(world.activities());
    const after = await waitFor(
      async () => {
        const now = await handle().describe();
        return now.runId === before.runId ? undefined : now;
      },
      { what: 'a new run', withinMs: 40_000 },
    );
    expect(after.status.name).toBe('RUNNING');
    expect((await view()).state).toBe('protected');
    await bothSessionsRun();
  }, 60_000);
});

describe('test failover', () => {
  it('runs beside replication, refuses a second drill, and is gone after cleanup', async () => {
    await protect();
    await isProtected();
    await bothSessionsRun();
    await drill();
    await until('the drill to run', (item) => item.drill.state === 'running');
    expect(world.running).toEqual({ shipSession: 1, applySession: 1 });
    expect(world.count('shutDownSource')).toBe(0);
    await until('the slot to be free', (item) => item.running === undefined);
    expect(await codeOf(drill())).toBe('DR_OPERATION_REFUSED');
    const { operationId } = await cleanup();
    await jobEnds(operationId);
    await until('the drill to be gone', (item) => item.drill.state === 'none');
    expect(world.count('proveRunEmpty')).toBe(1);
  });

  it('removes what it made when a step fails, and leaves no drill behind', async () => {
    world.failing.set(
      'beginVm',
      new DrError('DR_AZURE_QUOTA', { quota: 'cores', location: REGION, limit: 1, used: 1, needed: 2 }),
    );
    await protect();
    await isProtected();
    const { operationId } = await drill();
    expect((await jobEnds(operationId))?.error?.code).toBe('DR_AZURE_QUOTA');
    await until('the drill to be gone', (item) => item.drill.state === 'none' && item.running === undefined);
    expect(world.count('beginDeleteRunGroup')).toBe(1);
  });
});

describe('failover', () => {
  it('stops replication, shuts the source down, ships the last delta, waits for commit', async () => {
    await protect();
    await isProtected();
    await bothSessionsRun();
    expect(await codeOf(commit())).toBe('DR_COMMIT_BEFORE_FAILOVER');
    await failover();
    const item = await until(
      'the failover',
      (each) => each.state === 'failedOver' && each.running === undefined,
    );
    expect(item.activeLocation).toBe('azure');
    expect(item.failover?.source).toBe('shutDown');
    expect(world.running).toEqual({ shipSession: 0, applySession: 0 });
    const order = ['shutDownSource', 'shipFinal', 'drain', 'prepareRunGroup', 'beginVm'];
    expect(world.calls.filter((call) => order.includes(call))).toEqual(order);
    const { operationId } = await commit();
    expect((await jobEnds(operationId))?.state).toBe('succeeded');
    await until('the commit', (each) => each.state === 'committed');
  });

  it('refuses a second failover while one runs, naming its job', async () => {
    let open = () => {};
    world.gates.set('preflightFailover', new Promise((resolve) => (open = resolve)));
    await protect();
    await isProtected();
    const { operationId } = await failover();
    await until('the failover to run', (item) => item.state === 'failingOver');
    const refused = failover().catch(
      (error: { cause?: { type?: string; details?: unknown[] } }) => error.cause,
    );
    expect(await refused).toMatchObject({ type: 'DR_OPERATION_BUSY', details: [{ job: operationId }] });
    open();
    await until('the failover', (item) => item.state === 'failedOver');
  });

  it('does not touch replication or the source when a prerequisite is missing', async () => {
    world.failing.set(
      'preflightFailover',
      new DrError('DR_AZURE_SIZE_UNAVAILABLE', { size: 's', location: REGION, reason: 'r' }),
    );
    await protect();
    await isProtected();
    await bothSessionsRun();
    const { operationId } = await failover();
    expect((await jobEnds(operationId))?.error?.code).toBe('DR_AZURE_SIZE_UNAVAILABLE');
    await until(
      'the item to be protected again',
      (item) => item.state === 'protected' && item.running === undefined,
    );
    expect(world.count('shutDownSource')).toBe(0);
    expect(world.count('shipSession')).toBe(1);
  });

  it('goes back to protected and replicates again after a failed failover was undone', async () => {
    world.failing.set(
      'beginVm',
      new DrError('DR_AZURE_OPERATION_FAILED', { attempted: 'a', azureCode: 'c', reason: 'r' }),
    );
    await protect();
    await isProtected();
    await bothSessionsRun();
    const { operationId } = await failover();
    expect((await jobEnds(operationId))?.state).toBe('failed');
    const item = await until(
      'the item to be protected again',
      (each) => each.state === 'protected' && each.running === undefined,
    );
    const conditions = ['DR_HEALTH_FAILOVER_FAILED', 'DR_HEALTH_SOURCE_OFF'];
    expect(item.conditions.map((each) => each.type)).toEqual(conditions);
    expect(world.count('proveRunEmpty')).toBe(1);
    await bothSessionsRun();
  });

  it('fails instead of dropping the last changes of a source that it has shut down', async () => {
    world.failing.set('shipFinal', new DrError('DR_MACHINE_UNKNOWN', { machine: 'web-01' }));
    await protect();
    await isProtected();
    await bothSessionsRun();
    const { operationId } = await failover();
    expect((await jobEnds(operationId))?.error?.code).toBe('DR_FINAL_DELTA_MISSING');
    const item = await until(
      'the slot to be free',
      (each) => each.running === undefined && each.state === 'protected',
    );
    expect(item.conditions.map((each) => each.type)).toEqual(['DR_HEALTH_SOURCE_OFF']);
    expect(world.count('prepareRunGroup')).toBe(0);
    await bothSessionsRun();
  });

  it('removes first what an earlier run could not be shown to have removed', async () => {
    const taken = new DrError('DR_AZURE_NAME_TAKEN', { resource: 'group', run: 'r' });
    world.failing.set(
      'beginVm',
      new DrError('DR_AZURE_OPERATION_FAILED', { attempted: 'a', azureCode: 'c', reason: 'r' }),
    );
    world.failing.set('beginDeleteRunGroup', taken);
    await protect();
    await isProtected();
    await failover();
    await until(
      'the failover to have failed',
      (each) => each.state === 'failoverFailed' && each.running === undefined,
    );
    expect(world.running).toEqual({ shipSession: 0, applySession: 0 });
    await failover();
    await until(
      'it to fail again',
      (each) => each.running === undefined && world.count('beginDeleteRunGroup') > 1,
    );
    world.failing.clear();
    world.calls.length = 0;
    await failover();
    await until('the failover', (each) => each.state === 'failedOver' && each.running === undefined);
    const order = ['proveRunEmpty', 'proveRunEmpty', 'preflightFailover', 'beginVm'];
    expect(world.calls.filter((call) => order.includes(call))).toEqual(order);
  });

  it('outlives a drill that is ended from outside, and offers its cleanup', async () => {
    world.gates.set('preflightFailover', new Promise(() => {}));
    await protect();
    await isProtected();
    await bothSessionsRun();
    const { operationId } = await drill();
    await until('the drill to start', (item) => item.drill.state === 'starting');
    const run = server.client.workflow.getHandle(workflowIds.failover(itemId, operationId));
    await waitFor(
      () =>
        run.terminate().then(
          () => true,
          () => false,
        ),
      { what: 'the run to be ended', withinMs: WITHIN_MS },
    );
    const item = await until('the slot to be free', (each) => each.running === undefined);
    expect(item.drill).toEqual({ state: 'failed', runId: operationId });
    expect(world.running).toEqual({ shipSession: 1, applySession: 1 });
    world.gates.clear();
  });

  it('goes on without a site that is lost, and never calls its source off', async () => {
    world.lostSite = true;
    world.failing.set('shutDownSource', new DrError('DR_MACHINE_UNKNOWN', { machine: 'web-01' }));
    world.failing.set('shipFinal', new DrError('DR_MACHINE_UNKNOWN', { machine: 'web-01' }));
    await protect();
    await isProtected();
    await bothSessionsRun();
    await failover();
    const item = await waitFor(() => (world.item?.state === 'failedOver' ? world.item : undefined), {
      what: 'the failover',
      withinMs: 50_000,
    });
    expect(item.failover?.source).toBe('sourceStateUnknown');
  }, 70_000);
});

it('replays every history of these tests with the present bundle', async () => {
  let replayed = 0;
  const histories = server.client.workflow.list().intoHistories();
  for await (const result of Worker.runReplayHistories(
    { workflowBundle: { codePath: server.bundlePath } },
    histories,
  )) {
    expect(result.error).toBeUndefined();
    replayed += 1;
  }
  expect(replayed).toBeGreaterThan(started.length);
}, 60_000);
