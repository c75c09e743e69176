import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { workflowIds } from '../../workflows/contracts/ids.ts';
import { failing, group, members, plan, PlanStage, RUN, trouble } from './support/plan-stage.ts';

let stage: PlanStage;
beforeEach(() => {
  stage = new PlanStage();
});
afterEach(() => stage.driver.dispose());

describe('a run of machines that need what is scarce', () => {
  const region = (free: number) => ({
    location: 'westeurope',
    sizes: [{ name: 'Standard_D8s_v5', cores: 8, family: 'standardDSv5Family' }],
    usages: [{ name: 'cores', used: 100 - free, limit: 100 }],
    subnets: [],
  });
  const wide = plan([group('web')]);
  const taskOf = async (name: string) => {
    const { tasks } = await stage.job();
    return tasks.find(({ id }) => id === 'group-web')?.children?.find((task) => task.name === name);
  };

  test('a machine waits for cores, and begins when the quota was raised', async () => {
    stage.region = region(20);
    await stage.run('test', wide, members('a@web', 'b@web', 'c@web'));
    expect(stage.begun).toEqual(['test a', 'test b']);
    expect(await taskOf('c')).toMatchObject({ detail: 'waits for 8 cores in westeurope' });
    stage.region = region(4);
    await stage.driver.advance(61_000);
    expect(stage.begun).toEqual(['test a', 'test b']);
    // What the two hold is in use now.
    stage.region = region(8);
    await stage.driver.advance(121_000);
    expect(stage.begun).toEqual(['test a', 'test b', 'test c']);
    expect((await stage.job()).state).toBe('succeeded');
  });

  describe('that nobody raises', () => {
    const wait = 'machine-b';
    beforeEach(() => {
      stage.region = region(8);
    });

    test('somebody decides about the first that waits: without it the run goes on', async () => {
      await stage.run('test', wide, members('a@web', 'b@web'));
      stage.region = region(0);
      await stage.driver.advance(200_000);
      const { state, error, choices } = await stage.job();
      expect([state, error?.code]).toEqual(['waitingForInput', 'DR_CAPACITY_MISSING']);
      expect(error?.message).toContain('waits for 8 cores in westeurope');
      const offered = choices?.filter(({ taskId }) => taskId === wait).map(({ decision }) => decision);
      expect(offered).toEqual(['retry', 'skip']);
      await stage.decide('skip', { taskId: wait, reason: 'not tonight' });
      expect((await stage.job()).state).toBe('succeeded');
    });

    test('tried again it waits again, and begins when there is room', async () => {
      await stage.run('test', wide, members('a@web', 'b@web'));
      stage.region = region(0);
      await stage.driver.advance(200_000);
      await stage.decide('retry', { taskId: wait });
      expect((await stage.job()).state).toBe('inProgress');
      stage.region = region(8);
      await stage.driver.advance(200_000);
      expect(stage.begun).toEqual(['test a', 'test b']);
    });

    test('unattended the drill takes itself back', async () => {
      await stage.run('test', wide, members('a@web', 'b@web'), { unattended: true });
      stage.region = region(0);
      await stage.driver.advance(200_000);
      expect(stage.begun).toEqual(['test a', 'undo test b', 'undo test a']);
      expect((await stage.job()).state).toBe('failed');
    });
  });

  test('one that fails gives its cores back', async () => {
    stage.region = region(8);
    stage.fate = failing('test a');
    await stage.run('test', wide, members('a@web', 'b@web'));
    expect(stage.begun).toEqual(['test a', 'test b']);
  });

  test('a machine is made ready when there is a network interface for it, cores or not', async () => {
    const interfaces = (free: number) => [{ name: 'NetworkInterfaces', used: 350 - free, limit: 350 }];
    stage.region = { ...region(100), usages: interfaces(2) };
    const tiers = plan([group('database'), group('web', { after: ['database'] })]);
    await stage.run('test', tiers, members('a@database', 'b@database', 'c@web'));
    expect(stage.turns).toEqual(['ready a', 'ready b']);
    expect(stage.begun).toEqual(['test a', 'test b']);
    const task = (await stage.job()).tasks.find(({ id }) => id === 'make-ready')?.children?.[2];
    expect(task).toMatchObject({ name: 'c', detail: 'waits for 1 NetworkInterfaces in westeurope' });
    stage.region = { ...region(100), usages: interfaces(1) };
    await stage.driver.advance(61_000);
    expect(stage.turns).toEqual(['ready a', 'ready b', 'ready c']);
    expect((await stage.job()).state).toBe('succeeded');
  });

  test('a machine that is in Azure already waits for no cores: the later run passes it by', async () => {
    stage.region = region(0);
    const who = members('a@web', 'b@web').map((member, index) => ({
      ...member,
      situation: { state: index === 0 ? 'committed' : 'protected', drill: 'none' } as const,
    }));
    await stage.run('failover', wide, who);
    expect(stage.begun).toEqual(['failover a']);
    expect(await taskOf('b')).toMatchObject({ detail: 'waits for 8 cores in westeurope' });
  });

  test('a cleanup of drills that began since is bounded by the plan as any other', async () => {
    stage.fate = (what) => ({ kind: what.startsWith('cleanup') ? 'hold' : 'run' });
    const narrow = plan([group('web')], { limits: { machinesAtOnce: 1 } });
    const who = members('a@web', 'b@web').map((member) => ({
      ...member,
      situation: { state: 'protected', drill: 'none' } as const,
    }));
    await stage.run('cleanup', narrow, who);
    expect(stage.begun).toEqual(['cleanup a']);
  });

  test('disks that come home wait for slots of the master target, and begin when some are given back', async () => {
    stage.slots = { slots: 60, used: 55 };
    stage.fate = (what) => ({ kind: what.startsWith('reprotect') ? 'hold' : 'run' });
    const disks = [3, 3, 2];
    const who = members('a@web', 'b@web', 'c@web').map((member, at) => ({
      ...member,
      disks: disks[at] ?? 0,
    }));
    await stage.run('reprotect', wide, who);
    expect(stage.begun).toEqual(['reprotect a', 'reprotect c']);
    const waits = 'waits for 3 disk slots of the master target of site berlin';
    expect(await taskOf('b')).toMatchObject({ detail: waits });
    expect((await stage.job()).tasks[0]).toMatchObject({
      id: 'capacity',
      detail: '8 disk slots needed; 5 free at site berlin',
    });
    await stage.release('reprotect a');
    expect(stage.begun).toEqual(['reprotect a', 'reprotect c', 'reprotect b']);
    await stage.release('reprotect b', 'reprotect c');
    expect((await stage.job()).state).toBe('succeeded');
  });

  test('slots that others hold are looked at again', async () => {
    stage.slots = { slots: 60, used: 58 };
    const who = members('a@web').map((member) => ({ ...member, disks: 3 }));
    await stage.run('reprotect', wide, who);
    await stage.driver.advance(59_000);
    expect(stage.begun).toEqual([]);
    stage.slots = { slots: 60, used: 57 };
    await stage.driver.advance(10_000);
    expect(stage.begun).toEqual(['reprotect a']);
  });

  test('a site whose master target does not answer bounds nothing: each machine asks it again', async () => {
    stage.fate = (what) => (what === 'look' ? { kind: 'fail', error: trouble } : { kind: 'run' });
    await stage.run('reprotect', wide, members('a@web'));
    expect(stage.begun).toEqual(['reprotect a']);
    const { state, tasks } = await stage.job();
    expect([state, tasks[0]?.detail]).toEqual([
      'succeeded',
      '0 disk slots needed; unknown how many free at site berlin',
    ]);
  });

  test('a plan whose machines need more cores than it allows begins nothing', async () => {
    stage.region = region(100);
    const small = plan([group('web')], { limits: { cores: 20 } });
    await stage.run('failover', small, members('a@web', 'b@web', 'c@web'));
    expect(stage.begun).toEqual([]);
    expect(await stage.job()).toMatchObject({
      state: 'failed',
      error: { code: 'DR_PLAN_NOT_READY', message: expect.stringContaining('allows 20 cores') },
    });
    await stage.run('test', small, members('a@web', 'b@web', 'c@web'));
    expect(stage.driver.has(workflowIds.drillExpiry(RUN))).toBe(false);
  });

  test('a region that does not answer bounds nothing, and the run says so', async () => {
    stage.fate = (what) => (what === 'look' ? { kind: 'fail', error: trouble } : { kind: 'run' });
    await stage.run('failover', wide, members('a@web'));
    const { state, tasks } = await stage.job();
    expect(state).toBe('succeeded');
    expect(tasks[0]).toMatchObject({ id: 'capacity', detail: expect.stringContaining('not looked at') });
  });
});
