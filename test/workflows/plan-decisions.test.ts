import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { noticesOfJob } from '../../domain/job-notices.ts';
import { workflowIds } from '../../workflows/contracts/ids.ts';
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

let stage: PlanStage;
beforeEach(() => {
  stage = new PlanStage();
});
afterEach(() => stage.driver.dispose());

/** What everybody was told, by what it is about and why. */
function told() {
  return stage.jobs
    .flatMap((job, at) => {
      const before = stage.jobs[at - 1];
      const since = { at: job.startedAt, isPartOfPlanRun: false };
      return noticesOfJob({ job, ...(before === undefined ? {} : { before }), ...since });
    })
    .map(({ subject, text }) => `${subject.split(': ')[1]}: ${/^Why: (.*)$/m.exec(text)?.[1]}`);
}

describe('people', () => {
  const asks = (onSilence: 'wait' | 'approve' | 'fail') =>
    plan([
      group('web', {
        steps: {
          before: [
            step('ask', {
              does: { kind: 'manual', text: 'May it go down?', approvers: ['duty'], onSilence },
            }),
          ],
          after: [],
        },
      }),
    ]);

  test('a manual step waits for one of its approvers', async () => {
    await stage.run('failover', asks('wait'), members('w@web'));
    await stage.driver.advance(3_600_000);
    expect(await stage.job()).toMatchObject({
      state: 'waitingForInput',
      error: { code: 'DR_STEP_WAITS', message: 'May it go down?' },
    });
    expect(await stage.decide('approve')).toBe('DR_APPROVER_UNKNOWN');
    expect(await stage.decide('approve', { principal: 'duty', reason: 'told' })).toBeUndefined();
    expect(told()).toEqual(['ask: May it go down? (DR_STEP_WAITS)']);
    const { state, result } = await stage.job();
    expect(state).toBe('succeeded');
    expect(result).toMatchObject({ steps: [{ observed: { approvedBy: 'duty', reason: 'told' } }] });
  });

  test.each([
    ['approve', 'succeeded', undefined],
    ['fail', 'waitingForInput', 'DR_STEP_UNANSWERED'],
  ] as const)('silence means %s where the plan says so', async (onSilence, state, code) => {
    await stage.run('failover', asks(onSilence), members('w@web'));
    await stage.driver.advance(599_000);
    expect((await stage.job()).state).toBe('waitingForInput');
    await stage.driver.advance(2_000);
    const job = await stage.job();
    expect({ state: job.state, code: job.error?.code }).toEqual({ state, code });
  });

  test('a rejected step asks how to go on', async () => {
    await stage.run('failover', asks('wait'), members('w@web'));
    await stage.decide('reject', { principal: 'duty', reason: 'month end' });
    const { error, choices } = await stage.job();
    expect(error).toMatchObject({ code: 'DR_STEP_REJECTED' });
    expect(choices?.map(({ decision }) => decision)).toEqual(['retry', 'skip', 'hold', 'keep', 'rollBack']);
    expect(stage.begun).toEqual([]);
  });

  test('each question is told once, by its name and its reason, however many machines a run has', async () => {
    const many = Array.from({ length: 52 }, (_, n) => `m-${n}@web`);
    stage.fate = failing('failover m-1', 'failover m-2', 'failover m-3');
    await stage.run('failover', plan([group('web')]), members(...many));
    for (const taskId of ['machine-m-2', 'machine-m-1', 'machine-m-3']) {
      expect(await stage.decide('retry', { taskId })).toBeUndefined();
    }
    expect((await stage.job()).state).toBe('succeeded');
    expect(told().toSorted()).toEqual([1, 2, 3].map((n) => `m-${n}: ${trouble.message} (DR_INTERNAL)`));
    const children = stage.jobs
      .slice(0, -1)
      .flatMap(({ tasks }) => tasks.flatMap((task) => task.children ?? []));
    expect(new Set(children.map(({ name }) => name))).toEqual(new Set(['m-1', 'm-2', 'm-3']));
  });

  test('a held run begins nothing further until it is resumed', async () => {
    stage.fate = (what) => ({ kind: what === 'failover db' ? 'hold' : 'run' });
    await stage.run('failover', threeTiers, shop);
    expect(await stage.decide('hold')).toBeUndefined();
    await stage.release();
    expect(stage.begun).toEqual(['failover db']);
    expect((await stage.job()).state).toBe('waitingForInput');
    expect(await stage.decide('finish')).toBeUndefined();
    expect((await stage.job()).state).toBe('succeeded');
  });
});

describe('ending a run', () => {
  const dns = step('dns', {
    undo: { kind: 'command', on: 'configurationServer', argv: ['back'], environment: {}, secrets: {} },
  });
  const withDns = plan([
    group('database'),
    group('web', { after: ['database'], steps: { before: [dns], after: [step('check')] } }),
  ]);
  const who = members('db@database', 'web@web');

  test('keep leaves everything as it is', async () => {
    stage.fate = failing('step check');
    await stage.run('failover', withDns, who);
    expect(await stage.decide('keep')).toBeUndefined();
    expect((await stage.job()).state).toBe('cancelled');
    expect(stage.begun).toEqual(['failover db', 'step dns', 'failover web', 'step check']);
  });

  test('keep lets go of what waits for its turn, and says so', async () => {
    stage.fate = failing('failover db');
    await stage.run('failover', withDns, who);
    expect(await stage.decide('keep')).toBeUndefined();
    expect(stage.turns).toEqual(['ready db', 'ready web', 'leave web']);
    expect(stage.begun).toEqual(['failover db']);
    expect(stage.records[0]?.members).toMatchObject([
      { machineName: 'db', outcome: 'failed' },
      { machineName: 'web', outcome: 'skipped', detail: 'its turn to start did not come' },
    ]);
  });

  describe('while machines wait for their start', () => {
    const narrow = plan([group('database'), group('web', { after: ['database'] })], {
      limits: { machinesAtOnce: 1 },
    });
    const crowd = members('db@database', 'w1@web', 'w2@web', 'w3@web');
    beforeEach(async () => {
      stage.fate = (what) => ({ kind: what === 'failover w1' ? 'hold' : 'run' });
      await stage.run('failover', narrow, crowd);
      expect(stage.begun).toEqual(['failover db', 'failover w1']);
    });

    test('keep lets go of them', async () => {
      await stage.decide('keep');
      await stage.release();
      expect(stage.turns.filter((turn) => turn.startsWith('leave'))).toEqual(['leave w2', 'leave w3']);
      const outcomes = stage.records[0]?.members.map(({ machineName, outcome }) => [machineName, outcome]);
      expect(outcomes).toEqual([
        ['db', 'succeeded'],
        ['w1', 'succeeded'],
        ['w2', 'skipped'],
        ['w3', 'skipped'],
      ]);
    });

    test('rolled back, what is ready of them is taken back first', async () => {
      await stage.decide('rollBack');
      await stage.release();
      const waiting = stage.operations.filter(({ undo }) => undo === true).map(({ member }) => member);
      const prepared = new Map<string, unknown>(waiting.map((each) => [each.machineName, each.prepared]));
      expect(prepared.get('w2')).toBe(`${RUN}-2-m-1`);
      expect(prepared.get('w3')).toBe(`${RUN}-3-m-1`);
      expect(prepared.get('w1')).toBeUndefined();
      expect((await stage.job()).state).toBe('cancelled');
    });
  });

  test('a run that is cancelled from outside ends, and lets the plan go', async () => {
    stage.fate = (what) => ({ kind: what === 'failover web' ? 'hold' : 'run' });
    await stage.run('failover', withDns, who);
    stage.driver.cancel(workflowIds.planRun('shop'));
    await stage.driver.settle();
    await stage.release();
    expect((await stage.job()).state).toBe('cancelled');
    expect(stage.driver.ending(workflowIds.planRun('shop'))?.status).toBe('completed');
  });

  test('after it has ended as it has, nothing is decided about it', async () => {
    stage.fate = (what) => ({ kind: what === 'evidence' ? 'hold' : 'run' });
    await stage.run('failover', withDns, who);
    expect(await stage.decide('rollBack')).toBe('DR_DECISION_REFUSED');
  });

  test('the undo of a step is tried as often as the plan says', async () => {
    const patient = plan([
      group('web', { steps: { before: [{ ...dns, retries: 2 }], after: [step('check')] } }),
    ]);
    stage.fate = failing('step check');
    await stage.run('failover', patient, members('web@web'));
    const before = stage.begun.length;
    stage.fate = failing('step dns', 'step dns');
    await stage.decide('rollBack');
    expect(stage.begun.slice(before)).toEqual(['undo failover web', 'step dns', 'step dns', 'step dns']);
    expect((await stage.job()).state).toBe('cancelled');
  });

  test('a machine that was there already is not taken back', async () => {
    stage.reached.add('db');
    stage.fate = failing('step check');
    await stage.run('failover', withDns, who);
    await stage.decide('rollBack');
    expect(stage.begun.filter((what) => what.startsWith('undo'))).toEqual(['undo failover web']);
  });

  test('roll back takes machines and steps back, the last one first', async () => {
    stage.fate = failing('step check');
    await stage.run('failover', withDns, who);
    expect(await stage.decide('rollBack')).toBeUndefined();
    expect(stage.begun.slice(4)).toEqual(['undo failover web', 'step dns', 'undo failover db']);
    expect(stage.steps.at(-1)?.action).toMatchObject({ argv: ['back'] });
    expect((await stage.job()).state).toBe('cancelled');
  });

  test('what is under way ends by its own rules before anything is taken back', async () => {
    stage.fate = (what) => ({ kind: what === 'failover db' ? 'hold' : 'run' });
    await stage.run('failover', withDns, who);
    await stage.decide('rollBack');
    expect(stage.begun).toEqual(['failover db']);
    await stage.release();
    expect(stage.begun).toEqual(['failover db', 'undo failover db', 'undo failover web']);
    const [, , back] = stage.operations;
    expect(back?.member).toMatchObject({ machineName: 'web', prepared: `${RUN}-1-m-1` });
  });

  test('an undo that fails waits; left as it is, the rest is taken back', async () => {
    stage.fate = failing('step check', 'undo failover web');
    await stage.run('failover', withDns, who);
    await stage.decide('rollBack');
    expect(await stage.job()).toMatchObject({ state: 'waitingForInput' });
    expect(await stage.decide('hold')).toBe('DR_DECISION_REFUSED');
    expect(await stage.decide('abandon', { reason: 'done by hand' })).toBeUndefined();
    expect(stage.begun.slice(4)).toEqual(['undo failover web', 'step dns', 'undo failover db']);
    expect((await stage.job()).state).toBe('cancelled');
  });

  test('a commit is not taken back: it is not offered', async () => {
    stage.fate = failing('commit db');
    await stage.run('commit', withDns, who);
    expect(await stage.decide('rollBack')).toBe('DR_DECISION_REFUSED');
  });
});

test('every run leaves its record, however it ended', async () => {
  stage.fate = failing('failover app');
  await stage.run('failover', threeTiers, shop);
  await stage.decide('skip', { reason: 'moved by hand' });
  expect(stage.records).toMatchObject([
    {
      run: { id: RUN, kind: 'failover', startedBy: 'olga', outcome: 'succeeded' },
      plan: { name: 'shop', version: 3 },
      members: [{ outcome: 'succeeded' }, { machineName: 'app', outcome: 'skipped' }, {}, {}],
      decisions: [{ by: 'olga', decision: 'skip', step: 'machine-app', reason: 'moved by hand' }],
    },
  ]);
});
