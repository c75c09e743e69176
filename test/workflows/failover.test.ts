import { describe, expect, it } from '@jest/globals';
import { DrError } from '../../domain/errors.ts';
import { waitFor } from '../../lab/wait.ts';
import { workflowIds } from '../../workflows/contracts/ids.ts';
import {
  bothSessionsRun,
  cleanup,
  codeOf,
  commit,
  drill,
  expectHistoriesToReplay,
  failover,
  isProtected,
  jobEnds,
  protect,
  setStage,
  stage,
  until,
  WITHIN_MS,
} from './support/stage.ts';
import { REGION } from './support/workflow-server.ts';

setStage();

describe('test failover', () => {
  it('runs beside replication, refuses a second drill, and is gone after cleanup', async () => {
    await protect();
    await isProtected();
    await bothSessionsRun();
    await drill();
    await until('the drill to run', (item) => item.drill.state === 'running');
    expect(stage.world.running).toEqual({ shipSession: 1, applySession: 1 });
    expect(stage.world.count('shutDownSource')).toBe(0);
    await until('the slot to be free', (item) => item.running === undefined);
    expect(await codeOf(drill())).toBe('DR_OPERATION_REFUSED');
    const { operationId } = await cleanup();
    await jobEnds(operationId);
    await until('the drill to be gone', (item) => item.drill.state === 'none');
    expect(stage.world.count('proveRunEmpty')).toBe(1);
  });

  it('removes what it made when a step fails, and leaves no drill behind', async () => {
    stage.world.failing.set(
      'beginVm',
      new DrError('DR_AZURE_QUOTA', { quota: 'cores', location: REGION, limit: 1, used: 1, needed: 2 }),
    );
    await protect();
    await isProtected();
    const { operationId } = await drill();
    expect((await jobEnds(operationId))?.error?.code).toBe('DR_AZURE_QUOTA');
    await until('the drill to be gone', (item) => item.drill.state === 'none' && item.running === undefined);
    expect(stage.world.count('beginDeleteRunGroup')).toBe(1);
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
    expect(stage.world.running).toEqual({ shipSession: 0, applySession: 0 });
    const order = ['shutDownSource', 'shipFinal', 'drain', 'prepareRunGroup', 'beginVm'];
    expect(stage.world.calls.filter((call) => order.includes(call))).toEqual(order);
    const { operationId } = await commit();
    expect((await jobEnds(operationId))?.state).toBe('succeeded');
    await until('the commit', (each) => each.state === 'committed');
  });

  it('refuses a second failover while one runs, naming its job', async () => {
    const open = stage.world.hold('preflightFailover');
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
    stage.world.failing.set(
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
    expect(stage.world.count('shutDownSource')).toBe(0);
    expect(stage.world.count('shipSession')).toBe(1);
  });

  it('goes back to protected and replicates again after a failed failover was undone', async () => {
    stage.world.failing.set(
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
    expect(stage.world.count('proveRunEmpty')).toBe(1);
    await bothSessionsRun();
  });

  it('fails instead of dropping the last changes of a source that it has shut down', async () => {
    stage.world.failing.set('shipFinal', new DrError('DR_MACHINE_UNKNOWN', { machine: 'web-01' }));
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
    expect(stage.world.count('prepareRunGroup')).toBe(0);
    await bothSessionsRun();
  });

  it('removes first what an earlier run could not be shown to have removed', async () => {
    const taken = new DrError('DR_AZURE_NAME_TAKEN', { resource: 'group', run: 'r' });
    stage.world.failing.set(
      'beginVm',
      new DrError('DR_AZURE_OPERATION_FAILED', { attempted: 'a', azureCode: 'c', reason: 'r' }),
    );
    stage.world.failing.set('beginDeleteRunGroup', taken);
    await protect();
    await isProtected();
    await failover();
    await until(
      'the failover to have failed',
      (each) => each.state === 'failoverFailed' && each.running === undefined,
    );
    expect(stage.world.running).toEqual({ shipSession: 0, applySession: 0 });
    await failover();
    await until(
      'it to fail again',
      (each) => each.running === undefined && stage.world.count('beginDeleteRunGroup') > 1,
    );
    stage.world.failing.clear();
    stage.world.calls.length = 0;
    await failover();
    await until('the failover', (each) => each.state === 'failedOver' && each.running === undefined);
    const order = ['proveRunEmpty', 'proveRunEmpty', 'preflightFailover', 'beginVm'];
    expect(stage.world.calls.filter((call) => order.includes(call))).toEqual(order);
  });

  it('outlives a drill that is ended from outside, and offers its cleanup', async () => {
    stage.world.hold('preflightFailover');
    await protect();
    await isProtected();
    await bothSessionsRun();
    const { operationId } = await drill();
    await until('the drill to start', (item) => item.drill.state === 'starting');
    const run = stage.server.client.workflow.getHandle(workflowIds.failover(stage.itemId, operationId));
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
    expect(stage.world.running).toEqual({ shipSession: 1, applySession: 1 });
  });

  it('goes on without a site that is lost, and never calls its source off', async () => {
    stage.world.lostSite = true;
    stage.world.failing.set('shutDownSource', new DrError('DR_MACHINE_UNKNOWN', { machine: 'web-01' }));
    stage.world.failing.set('shipFinal', new DrError('DR_MACHINE_UNKNOWN', { machine: 'web-01' }));
    await protect();
    await isProtected();
    await bothSessionsRun();
    await failover();
    const item = await waitFor(
      () => (stage.world.item?.state === 'failedOver' ? stage.world.item : undefined),
      {
        what: 'the failover',
        withinMs: 50_000,
      },
    );
    expect(item.failover?.source).toBe('sourceStateUnknown');
  }, 70_000);
});

it('replays every history of these tests with the present bundle', expectHistoriesToReplay, 60_000);
