import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { failing, PlanStage, RUN, shop, threeTiers } from './support/plan-stage.ts';

let stage: PlanStage;
beforeEach(() => {
  stage = new PlanStage();
});
afterEach(() => stage.driver.dispose());

test('a drill that nobody comes back to is cleaned up after the time the plan names, and only that drill', async () => {
  await stage.run('test', threeTiers, shop);
  await stage.driver.advance(4 * 3_600_000 - 60_000);
  expect(stage.begun.filter((what) => what.startsWith('cleanup'))).toEqual([]);
  await stage.driver.advance(61_000);
  expect(stage.begun.slice(4)).toEqual(['cleanup web-1', 'cleanup web-2', 'cleanup app', 'cleanup db']);
  expect(stage.operations.at(-1)).toMatchObject({
    onlyDrillOf: RUN,
    requestedBy: { principal: 'drill expiry' },
  });
});

test('a drill that waits for somebody who never comes takes itself back', async () => {
  stage.fate = failing('test app');
  await stage.run('test', threeTiers, shop);
  expect((await stage.job()).state).toBe('waitingForInput');
  await stage.driver.advance(4 * 3_600_000 + 1_000);
  expect(stage.begun).toEqual([
    'test db',
    'test app',
    'undo test app',
    'undo test db',
    'undo test web-2',
    'undo test web-1',
  ]);
  expect(await stage.job()).toMatchObject({ state: 'failed', error: { code: 'DR_DRILL_EXPIRED' } });
});

test('a drill that is kept as it is is cleaned up all the same', async () => {
  stage.fate = failing('test app');
  await stage.run('test', threeTiers, shop);
  await stage.decide('keep');
  await stage.driver.advance(4 * 3_600_000 + 1_000);
  expect(stage.begun.slice(2)).toEqual(['cleanup web-1', 'cleanup web-2', 'cleanup app', 'cleanup db']);
});

test('a cleanup is proven when every machine was seen to be clean', async () => {
  stage.facts = { removedRunId: 'drill-1' };
  await stage.run('cleanup', threeTiers, shop);
  expect(stage.records.at(-1)?.cleanup).toMatchObject({
    runTag: expect.stringMatching(/^(switchback-run=drill-1(, )?){4}$/),
    remaining: [],
  });
});

describe('a scheduled drill', () => {
  const pinned = { name: 'shop', version: 3, sha256: 'a'.repeat(64), plan: threeTiers };
  const begin = async (blackouts: readonly { readonly from: string; readonly to: string }[] = []) => {
    await stage.driver.start('scheduledDrill', 'drill', { planName: 'shop', cron: '0 3 * * 6', blackouts });
    await stage.driver.settle();
  };
  beforeEach(() => {
    stage.pinned = { plan: pinned, members: shop, subnetId: '/subnets/isolated' };
  });

  test('rehearses and cleans up at once', async () => {
    await begin();
    expect(stage.begun).toEqual([
      ...['db', 'app', 'web-1', 'web-2'].map((name) => `test ${name}`),
      ...['web-1', 'web-2', 'app', 'db'].map((name) => `cleanup ${name}`),
    ]);
    expect(stage.driver.ending('drill')).toMatchObject({ status: 'completed' });
    expect(stage.records.map(({ run }) => [run.kind, run.startedBy])).toEqual([
      ['test', 'schedule'],
      ['cleanup', 'schedule'],
    ]);
  });

  test('that fails takes itself back and fails, so that the schedule pauses', async () => {
    stage.fate = failing('test web-1');
    await begin();
    expect(stage.begun.slice(4)).toEqual([
      'undo test web-2',
      'undo test web-1',
      'undo test app',
      'undo test db',
    ]);
    expect(stage.driver.ending('drill')).toMatchObject({
      status: 'failed',
      failure: { applicationFailureInfo: { type: 'DR_DRILL_FAILED' } },
    });
  });

  test('does nothing in a blackout, and says so', async () => {
    const from = new Date(stage.driver.nowMs - 1_000).toISOString();
    await begin([{ from, to: new Date(stage.driver.nowMs + 3_600_000).toISOString() }]);
    expect(stage.begun).toEqual([]);
    expect(stage.driver.ending('drill')).toMatchObject({ status: 'completed' });
    expect(stage.jobs.at(-1)).toMatchObject({
      kind: 'testPlan',
      state: 'cancelled',
      tasks: [{ id: 'missed', state: 'skipped' }],
    });
  });

  test('without an isolated subnet in the plan is refused before anything begins', async () => {
    stage.pinned = { plan: pinned, members: shop };
    await begin();
    expect(stage.begun).toEqual([]);
    expect(stage.driver.ending('drill')).toMatchObject({
      failure: { applicationFailureInfo: { type: 'DR_PLAN_NOT_READY' } },
    });
  });
});
