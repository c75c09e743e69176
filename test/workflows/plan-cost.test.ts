import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { DrError } from '../../domain/errors.ts';
import { group, members, plan, PlanStage } from './support/plan-stage.ts';

let stage: PlanStage;
beforeEach(() => {
  stage = new PlanStage();
  stage.perHour = 0.4;
});
afterEach(() => stage.driver.dispose());

const limited = (amount: number) =>
  plan([group('web')], { drill: { cleanupAfterSeconds: 4 * 3_600, costLimit: { amount, currency: 'EUR' } } });
const two = members('a@web', 'b@web');

test('a drill that costs what it may begins, and says what it costs', async () => {
  await stage.run('test', limited(3.2), two);
  expect(stage.begun).toEqual(['test a', 'test b']);
  const { tasks } = await stage.job();
  expect(tasks.find(({ id }) => id === 'cost')).toMatchObject({
    state: 'succeeded',
    detail: '4 h of 2 machines cost 3.20 EUR by the price list, the limit is 3.2 EUR',
  });
});

test('one that is dearer begins nothing, and names sum, limit and machines', async () => {
  await stage.run('test', limited(3.19), two);
  expect(stage.begun).toEqual([]);
  expect(stage.turns).toEqual([]);
  expect(await stage.job()).toMatchObject({
    state: 'failed',
    error: {
      code: 'DR_DRILL_TOO_DEAR',
      message:
        'The drill of plan "shop" would cost 3.20 EUR for 4 h, its limit is 3.19 EUR: a 1.60 EUR, b 1.60 EUR',
    },
  });
});

test('each kind of machine is asked about once, as the region spells its size', async () => {
  stage.region = {
    ...stage.region,
    sizes: [{ name: 'Standard_D8s_v5', cores: 8, family: 'standardDSv5Family' }],
  };
  const [a, b, c] = members('a@web', 'b@web', 'c@web');
  if (a === undefined || b === undefined || c === undefined) throw new Error('three members');
  await stage.run('test', limited(100), [
    { ...a, vmSize: 'standard_d8S_V5' },
    b,
    { ...c, guestFamily: 'windows' },
  ]);
  expect(stage.priced).toEqual([
    {
      location: 'westeurope',
      currency: 'EUR',
      machines: [
        { vmSize: 'Standard_D8s_v5', isWindows: false },
        { vmSize: 'Standard_D8s_v5', isWindows: true },
      ],
    },
  ]);
  expect(stage.begun).toHaveLength(3);
});

test('a drill that nobody can price begins nothing: a list that is away, or without the machine', async () => {
  stage.perHour = undefined;
  await stage.run('test', limited(100), two);
  expect(stage.begun).toEqual([]);
  expect(await stage.job()).toMatchObject({
    state: 'failed',
    error: {
      code: 'DR_DRILL_PRICE_UNKNOWN',
      message: expect.stringContaining('no price for a (Standard_D8s_v5), b (Standard_D8s_v5)'),
    },
  });
  await stage.driver.dispose();
  stage = new PlanStage();
  const away = new DrError('DR_AZURE_PRICES_UNREADABLE', { reason: 'ETIMEDOUT' });
  stage.fate = (what) => (what === 'price' ? { kind: 'fail', error: away } : { kind: 'run' });
  await stage.run('test', limited(100), two);
  expect(stage.begun).toEqual([]);
  expect(await stage.job()).toMatchObject({
    error: { code: 'DR_DRILL_PRICE_UNKNOWN', message: expect.stringContaining('ETIMEDOUT') },
  });
});

test('nobody asks for a price in a failover, and in a drill without a limit', async () => {
  stage.perHour = undefined;
  await stage.run('failover', limited(0.01), two);
  expect(stage.begun).toEqual(['failover a', 'failover b']);
  await stage.driver.dispose();
  stage = new PlanStage();
  await stage.run('test', plan([group('web')]), two);
  expect(stage.begun).toEqual(['test a', 'test b']);
  expect(stage.priced).toEqual([]);
  expect((await stage.job()).tasks.map(({ id }) => id)).not.toContain('cost');
});

test('a simulation asks the recovery-site worker of the region, and nothing begins', async () => {
  const asked = {
    location: 'westeurope',
    currency: 'USD',
    machines: [{ vmSize: 'Standard_D8s_v5', isWindows: false }],
  };
  await stage.driver.start('priceLook', 'price-look/1', asked);
  await stage.driver.settle();
  expect(stage.driver.ending('price-look/1')).toMatchObject({
    status: 'completed',
    result: [{ vmSize: 'Standard_D8s_v5', isWindows: false, perHour: 0.4 }],
  });
  expect(stage.priced).toEqual([asked]);
});

test('a scheduled drill that is too dear fails, so that the schedule pauses', async () => {
  const pinned = { name: 'shop', version: 3, sha256: 'a'.repeat(64), plan: limited(1) };
  stage.pinned = { plan: pinned, members: two, subnetId: '/subnets/isolated' };
  await stage.driver.start('scheduledDrill', 'drill', { planName: 'shop', cron: '0 3 * * 6', blackouts: [] });
  await stage.driver.settle();
  expect(stage.begun).toEqual([]);
  expect(stage.driver.ending('drill')).toMatchObject({
    status: 'failed',
    failure: { applicationFailureInfo: { type: 'DR_DRILL_FAILED' } },
  });
});
