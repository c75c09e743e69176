import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { waitsOf } from '../../domain/plan/order.ts';
import {
  failing,
  group,
  members,
  plan,
  PlanStage,
  RUN,
  shop,
  step,
  threeTiers,
  trouble,
} from './support/plan-stage.ts';
import { seededRandom } from '../support/random.ts';

let stage: PlanStage;
beforeEach(() => {
  stage = new PlanStage();
});
afterEach(() => stage.driver.dispose());

describe('the order', () => {
  test('groups begin when those they wait for are done, machines of one together', async () => {
    await stage.run('failover', threeTiers, shop);
    expect(stage.begun).toEqual(['failover db', 'failover app', 'failover web-1', 'failover web-2']);
    const { state, kind, result } = await stage.job();
    expect({ state, kind }).toEqual({ state: 'succeeded', kind: 'failoverPlan' });
    expect(result).toMatchObject({ plan: { name: 'shop', version: 3 } });
  });

  test('on the way home the arrows turn round', async () => {
    await stage.run('failback', threeTiers, shop);
    expect(stage.begun).toEqual(['failback web-1', 'failback web-2', 'failback app', 'failback db']);
  });

  test('steps stand around the run, the group and the machine, and only in the runs they name', async () => {
    const around = (name: string) => ({
      before: [step(`${name}-before`), step(`${name}-drills`, { when: ['test'] })],
      after: [step(`${name}-after`)],
    });
    const selector = { by: 'machine', machine: 'db', steps: around('machine') } as const;
    const one = group('database', { members: [selector], steps: around('group') });
    await stage.run('failover', plan([one], { steps: around('run') }), members('db@database'));
    expect(stage.begun).toEqual([
      'step run-before',
      'step group-before',
      'step machine-before',
      'failover db',
      'step machine-after',
      'step group-after',
      'step run-after',
    ]);
    expect(stage.steps.at(-1)?.machines).toMatchObject({ db: { address: '10.0.0.4' } });
  });

  test('makes the machines of all groups ready together; a group starts when its own are', async () => {
    stage.fate = (what) => ({ kind: what === 'ready web-1' ? 'hold' : 'run' });
    await stage.run('test', threeTiers, shop);
    expect(stage.turns).toEqual(['ready db', 'ready app', 'ready web-1', 'ready web-2']);
    expect(stage.begun).toEqual(['test db', 'test app']);
    await stage.release('ready web-1');
    expect(stage.begun).toEqual(['test db', 'test app', 'test web-1', 'test web-2']);
    const [first] = stage.operations;
    expect(first).toMatchObject({ phase: 'start', member: { operationId: `${RUN}-0-m-1` } });
  });

  test('the result says what each machine was like', async () => {
    const [db] = members('db@database');
    const digest = { 'disk 1': '8 GiB' };
    await stage.run('test', plan([group('database')]), db === undefined ? [] : [{ ...db, digest }]);
    expect((await stage.job()).result).toMatchObject({ members: [{ machineName: 'db', digest }] });
  });

  test('the way home is made group by group, nothing of it ahead', async () => {
    await stage.run('failback', threeTiers, shop);
    expect(stage.turns).toEqual([]);
    expect(new Set(stage.operations.map(({ phase }) => phase))).toEqual(new Set(['whole']));
  });

  test('a machine that waits says for what', async () => {
    stage.fate = (what) => ({ kind: what.startsWith('failover') ? 'hold' : 'run' });
    const wide = plan([group('web')], { limits: { machinesAtOnce: 1 } });
    await stage.run('failover', wide, members('a@web', 'b@web'));
    const { tasks } = await stage.job();
    expect(tasks.find(({ id }) => id === 'group-web')?.children?.[1]).toMatchObject({
      name: 'b',
      state: 'inProgress',
      detail: 'waits for 1 turn among the machines of group web',
    });
  });

  test('a machine whose operation asks an operator says what, and keeps nobody waiting meanwhile', async () => {
    stage.fate = (what) => ({ kind: what === 'failover a' ? 'hold' : 'run' });
    const wide = plan([group('web')], { limits: { machinesAtOnce: 1 } });
    await stage.run('failover', wide, members('a@web', 'b@web'));
    expect(stage.begun).toEqual(['failover a']);
    const machines = async () => {
      const { tasks } = await stage.job();
      return tasks
        .find(({ id }) => id === 'group-web')
        ?.children?.map(({ state, detail }) => [state, detail]);
    };
    await stage.ask('failover a', 'job x waits for an operator at "Make the disks": no quota');
    expect(stage.begun).toEqual(['failover a', 'failover b']);
    expect(await machines()).toEqual([
      ['inProgress', 'job x waits for an operator at "Make the disks": no quota'],
      ['succeeded', 'runs'],
    ]);
    await stage.ask('failover a', '');
    expect((await machines())?.[0]).toEqual(['inProgress', undefined]);
    await stage.release('failover a');
    expect((await machines())?.[0]).toEqual(['succeeded', 'runs']);
    expect(await stage.job()).toMatchObject({ state: 'succeeded' });
  });

  test('machines that go on after a question may be more than there are turns: other groups go on all the same', async () => {
    stage.fate = (what) => ({ kind: what.startsWith('failover') ? 'hold' : 'run' });
    const two = plan([group('web'), group('mail')], { limits: { machinesAtOnce: 1 } });
    await stage.run('failover', two, members('a@web', 'b@web', 'c@mail', 'd@mail'));
    await stage.ask('failover a', 'what now?');
    await stage.ask('failover a', '');
    expect(stage.held).toEqual(['failover a', 'failover c', 'failover b']);
    await stage.release('failover c');
    expect(stage.held).toEqual(['failover a', 'failover b', 'failover d']);
  });

  test('no more machines of a group at once than the plan allows', async () => {
    stage.fate = (what) => ({ kind: what.startsWith('failover') ? 'hold' : 'run' });
    const wide = plan([group('web')], { limits: { machinesAtOnce: 2 } });
    await stage.run('failover', wide, members('a@web', 'b@web', 'c@web'));
    expect(stage.begun).toEqual(['failover a', 'failover b']);
    await stage.release();
    expect(stage.begun).toEqual(['failover a', 'failover b', 'failover c']);
  });

  test('no group begins before those it waits for are done, whatever fails on the way', async () => {
    const { seed } = seededRandom('plans');
    const graphs = fc.array(fc.array(fc.nat(7), { maxLength: 3 }), { minLength: 1, maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(graphs, fc.array(fc.nat(15), { maxLength: 6 }), async (edges, failures) => {
        const own = new PlanStage();
        const groups = edges.map((after, index) =>
          group(`g${index}`, { after: [...new Set(after.filter((at) => at < index).map((at) => `g${at}`))] }),
        );
        const who = members(...edges.flatMap((_, index) => [`a${index}@g${index}`, `b${index}@g${index}`]));
        let count = 0;
        own.fate = () => {
          count += 1;
          return failures.includes(count) ? { kind: 'fail', error: trouble } : { kind: 'run' };
        };
        await own.run('failover', plan(groups), who);
        for (let turn = 0; (await own.job()).state === 'waitingForInput' && turn < 20; turn += 1) {
          const [choice] = (await own.job()).choices ?? [];
          await own.decide('retry', choice?.taskId === undefined ? {} : { taskId: choice.taskId });
        }
        expect((await own.job()).state).toBe('succeeded');
        const waits = waitsOf(groups, 'out');
        const groupOf = new Map<string, string>(who.map(({ itemId, group: name }) => [itemId, name]));
        const done = own.operations.map(({ member }) => groupOf.get(member.itemId) ?? '');
        done.forEach((name, index) => {
          for (const earlier of waits[name] ?? []) {
            expect(done.slice(0, index).filter((each) => each === earlier)).toHaveLength(2);
          }
        });
        expect(new Set(own.operations.map(({ member }) => member.operationId)).size).toBe(who.length);
        await own.driver.replay();
        await own.driver.dispose();
      }),
      { seed, numRuns: 25 },
    );
  });
});

describe('what fails', () => {
  test('waits for an operator, while what does not depend on it goes on', async () => {
    stage.fate = failing('failover db');
    const both = plan([...threeTiers.groups, group('mail')]);
    await stage.run('failover', both, [...shop, ...members('mail@mail')]);
    expect(stage.begun).toEqual(['failover db', 'failover mail']);
    const { state, choices } = await stage.job();
    expect(state).toBe('waitingForInput');
    expect(choices?.filter(({ taskId }) => taskId === 'machine-db').map(({ decision }) => decision)).toEqual([
      'retry',
      'skip',
    ]);
    expect(await stage.decide('retry')).toBeUndefined();
    expect((await stage.job()).state).toBe('succeeded');
    const ids = stage.operations.filter(({ member }) => member.machineName === 'db');
    expect(ids.map(({ member }) => member.operationId)).toEqual([`${RUN}-0-m-2`]);
  });

  test('is skipped with a reason, which the task and the result keep', async () => {
    stage.fate = failing('failover db');
    await stage.run('failover', threeTiers, shop);
    await stage.decide('skip', { reason: 'moved by hand' });
    const { state, tasks, result } = await stage.job();
    expect(state).toBe('succeeded');
    expect(tasks.find(({ id }) => id === 'group-database')?.children?.[0]).toMatchObject({
      state: 'skipped',
      detail: 'skipped by olga: moved by hand',
    });
    expect(result).toMatchObject({ members: [{ machineName: 'db', outcome: 'skipped' }, {}, {}, {}] });
  });

  test('a step is tried again with another action, which the evidence keeps', async () => {
    stage.fate = failing('step dns');
    const action = { kind: 'wait', seconds: 1 } as const;
    const one = group('web', { steps: { before: [], after: [step('dns')] } });
    await stage.run('failover', plan([one]), members('w@web'));
    expect(await stage.decide('retry', { action, reason: 'it is switched by hand' })).toBeUndefined();
    await stage.driver.advance(2_000);
    expect((await stage.job()).state).toBe('succeeded');
    expect(stage.begun).toEqual(['failover w', 'step dns']);
    expect(stage.records[0]).toMatchObject({
      steps: [{ name: 'dns', action: 'wait', outcome: 'succeeded' }],
      decisions: [{ decision: 'retry', instead: JSON.stringify(action) }],
    });
  });

  test('a machine has no action that could be another', async () => {
    stage.fate = failing('failover w');
    await stage.run('failover', plan([group('web')]), members('w@web'));
    const action = { kind: 'wait', seconds: 1 } as const;
    expect(await stage.decide('retry', { action })).toBe('DR_DECISION_REFUSED');
  });

  test('of two that wait each is decided by its own name', async () => {
    stage.fate = failing('failover web-1', 'failover web-2');
    await stage.run('failover', threeTiers, shop);
    expect(await stage.decide('retry')).toBe('DR_DECISION_REFUSED');
    expect(await stage.decide('retry', { taskId: 'machine-db' })).toBe('DR_DECISION_REFUSED');
    expect(await stage.decide('retry', { taskId: 'machine-web-2' })).toBeUndefined();
    expect((await stage.job()).state).toBe('waitingForInput');
    expect(await stage.decide('skip', { reason: 'not needed' })).toBeUndefined();
    expect((await stage.job()).state).toBe('succeeded');
  });

  test('a step that is not critical is told and nothing more', async () => {
    stage.fate = failing('step dns');
    const after = [step('dns', { isCritical: false })];
    await stage.run('failover', plan([group('web', { steps: { before: [], after } })]), members('w@web'));
    const { state, result } = await stage.job();
    expect(state).toBe('succeeded');
    expect(result).toMatchObject({ steps: [{ step: 'dns', outcome: 'failed' }] });
  });

  test('a step is tried as often as the plan says before anybody is asked', async () => {
    stage.fate = failing('step dns', 'step dns');
    const after = [step('dns', { retries: 2 })];
    await stage.run('failover', plan([group('web', { steps: { before: [], after } })]), members('w@web'));
    expect(stage.begun).toEqual(['failover w', 'step dns', 'step dns', 'step dns']);
    expect((await stage.job()).state).toBe('succeeded');
  });

  test('with nobody there the run takes itself back', async () => {
    stage.fate = failing('test app');
    await stage.run('test', threeTiers, shop, { unattended: true });
    expect(stage.begun).toEqual([
      'test db',
      'test app',
      'undo test app',
      'undo test db',
      'undo test web-2',
      'undo test web-1',
    ]);
    expect(await stage.job()).toMatchObject({ state: 'failed', error: { code: 'DR_INTERNAL' } });
  });
});
