import { describe, expect, it } from '@jest/globals';
import { DrError } from '../../domain/errors.ts';
import { waitFor } from '../../lab/wait.ts';
import {
  bothSessionsRun,
  cleanup,
  codeOf,
  commit,
  decide,
  drill,
  expectHistoriesToReplay,
  failback,
  failover,
  isProtected,
  jobEnds,
  jobWaits,
  protect,
  reEnable,
  reprotect,
  runHandle,
  sessions,
  setStage,
  stage,
  until,
  WITHIN_MS,
} from './support/stage.ts';
import { REGION } from './support/world/samples.ts';

setStage();

describe('test failover', () => {
  it('runs beside replication, refuses a second drill, and is gone after cleanup', async () => {
    await protect();
    await isProtected();
    await bothSessionsRun();
    await drill();
    await until('the drill to run', (item) => item.drill.state === 'running');
    expect(sessions()).toMatchObject({ shipSession: 1, applySession: 1 });
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
    expect(sessions()).toMatchObject({ shipSession: 0, applySession: 0 });
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

  it('waits for an operator after a failure, and rolled back it is protected with its source on', async () => {
    stage.world.failing.set(
      'beginVm',
      new DrError('DR_AZURE_OPERATION_FAILED', { attempted: 'a', azureCode: 'c', reason: 'r' }),
    );
    await protect();
    await isProtected();
    await bothSessionsRun();
    const { operationId } = await failover();
    const waiting = await jobWaits(operationId);
    expect(waiting.error?.code).toBe('DR_AZURE_OPERATION_FAILED');
    expect(waiting.choices?.map(({ decision }) => decision)).toEqual(['retry', 'rollBack']);
    expect(stage.world.world.source.power).toBe('off');
    await decide(operationId, 'rollBack');
    expect((await jobEnds(operationId)).state).toBe('failed');
    const item = await until(
      'the item to be protected again',
      (each) => each.state === 'protected' && each.running === undefined,
    );
    expect(item.conditions.map((each) => each.type)).toEqual(['DR_HEALTH_OPERATION_FAILED:failover']);
    expect(stage.world.world.source.power).toBe('on');
    expect(stage.world.count('proveRunEmpty')).toBe(1);
    await bothSessionsRun();
  });

  it('outlives a drill that is ended from outside, and offers its cleanup', async () => {
    stage.world.hold('preflightFailover');
    await protect();
    await isProtected();
    await bothSessionsRun();
    const { operationId } = await drill();
    await until('the drill to start', (item) => item.drill.state === 'starting');
    const run = runHandle(operationId);
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
    expect(sessions()).toMatchObject({ shipSession: 1, applySession: 1 });
  });

  it('goes on without a site that is lost, and never calls its source off', async () => {
    stage.world.lostSite = true;
    stage.world.world.state.mayRunTwice = true;
    stage.world.failing.set('shutDownSource', new DrError('DR_MACHINE_UNKNOWN', { machine: 'web-01' }));
    stage.world.failing.set('shipFinal', new DrError('DR_MACHINE_UNKNOWN', { machine: 'web-01' }));
    await protect();
    await isProtected();
    await bothSessionsRun();
    await failover();
    const item = await until('the failover', ({ state }) => state === 'failedOver', 50_000);
    expect(item.failover?.source).toBe('sourceStateUnknown');
  }, 70_000);
});

describe('failback', () => {
  it('brings the machine home with what it wrote in Azure, and protects it again', async () => {
    const { world } = stage.world;
    const isAt = (state: string) =>
      until(`the item to be ${state}`, (item) => item.state === state && item.running === undefined);
    await protect();
    await isProtected();
    await failover();
    await isAt('failedOver');
    world.guestsWrite();
    const written = world.state.lastContent;
    await commit();
    await isAt('committed');
    await reprotect();
    await isAt('protectedReverse');
    await failback();
    await isAt('failedBack');
    expect(world.source).toMatchObject({ power: 'on', content: written });
    await commit();
    await isAt('failedBackCommitted');
    await reEnable();
    await isAt('protected');
    await bothSessionsRun();
    expect(world.state.runs).toEqual({});
    expect(world.violations).toEqual([]);
  }, 90_000);
});

it('replays every history of these tests with the present bundle', expectHistoriesToReplay, 60_000);
