import { describe, expect, it } from '@jest/globals';
import { DrError } from '../../domain/errors.ts';
import { waitFor } from '../../lab/wait.ts';
import {
  bothSessionsRun,
  codeOf,
  disable,
  drill,
  expectHistoriesToReplay,
  handle,
  isProtected,
  jobEnds,
  protect,
  protectInput,
  sessions,
  setStage,
  stage,
  until,
  verify,
  view,
} from './support/stage.ts';

setStage();

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
    stage.world.failing.set(
      'checkMachine',
      new DrError('DR_MACHINE_DISK_RDM', { disk: 'd', machine: 'm', backing: 'rdm' }),
    );
    const { operationId } = await protect();
    expect((await jobEnds(operationId))?.error?.code).toBe('DR_MACHINE_DISK_RDM');
    await until('the item to be refused', (item) => item.state === 'enablingFailed');
    await handle().result();
    stage.world.failing.clear();
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
    stage.world.failing.set('initialReplication', refused);
    await protect();
    await until('health to be critical', (item) => item.health === 'critical');
    stage.world.failing.clear();
    const item = await isProtected();
    expect(item.conditions).toEqual([]);
  }, 40_000);

  it('can be given up by ending protection, and the machine protected again', async () => {
    stage.world.failing.set('initialReplication', refused);
    const { operationId } = await protect();
    await until('health to be critical', (item) => item.health === 'critical');
    const ended = await disable();
    expect((await jobEnds(ended.operationId))?.state).toBe('succeeded');
    expect((await jobEnds(operationId))?.state).toBe('cancelled');
    await handle().result();
    expect(stage.world.world.item?.state).toBe('disabled');
    stage.world.failing.clear();
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
    expect(sessions()).toMatchObject({ shipSession: 0, applySession: 0 });
    const order = ['removeProductSnapshots', 'purgeItem'];
    expect(stage.world.calls.filter((call) => order.includes(call))).toEqual(order);
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
    stage.world.sessionAnswers.shipSession = [
      { outcome: 'stopped', condition: trouble },
      { outcome: 'recovered' },
    ];
    await protect();
    const troubled = await until('the condition', (item) => item.conditions.length > 0);
    expect(troubled.health).toBe('critical');
    expect(troubled.state).not.toBe('failoverFailed');
    const well = await until('health to be normal again', (item) => item.health === 'normal');
    expect(well.conditions).toEqual([]);
  }, 40_000);

  it('shows a recovery point that differs until the newest one was verified, and replicates on', async () => {
    const differs = {
      type: 'DR_HEALTH_REPLICA_DIFFERS',
      category: 'critical',
      reason: 'r',
      suggestion: 's',
    } as const;
    stage.world.sessionAnswers.applySession = [{ outcome: 'differs', condition: differs }];
    await protect();
    const shown = await until('the condition', (item) => item.conditions.length > 0);
    expect(shown).toMatchObject({ health: 'critical', conditions: [differs] });
    await isProtected();
    await bothSessionsRun();
    const job = await jobEnds((await verify()).operationId);
    expect(job).toMatchObject({ state: 'succeeded', result: { pointId: 'p000001', differingBytes: 0 } });
    await until('health to be normal again', (item) => item.health === 'normal');
    await bothSessionsRun();
  }, 40_000);

  it('continues as new with its state when a session ends', async () => {
    await protect();
    await isProtected();
    await bothSessionsRun();
    const before = await handle().describe();
    stage.world.sessionAnswers.shipSession = [{ outcome: 'sessionEnded' }];
    await stage.serving.stop();
    // A new worker gets the session's next attempt, which ends it.
    stage.serving = await stage.server.serve(stage.world.activities());
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

it('replays every history of these tests with the present bundle', expectHistoriesToReplay, 60_000);
