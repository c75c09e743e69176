import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { contract } from '../../api/contract.ts';
import { DrError } from '../../domain/errors.ts';
import { asId } from '../../domain/ids.ts';
import type { JobTask } from '../../domain/job.ts';
import type { PlanRunInput } from '../../workflows/contracts/plan.ts';
import { operatorOf, runCli } from '../cli/run.ts';
import { machineUuid, sampleItem, sampleJob, samplePoint, sampleSpec } from '../support/samples.ts';
import { startServer, type RunningServer } from '../support/server.ts';

const SUBNET = '/subscriptions/s/resourceGroups/r/providers/Microsoft.Network/virtualNetworks/v/subnets/a';
const SHOP = `apiVersion: switchback/v1
kind: RecoveryPlan
name: shop
drill: { subnet: ${SUBNET} }
groups:
  - { name: db, members: [{ machine: machine-0001 }] }
  - name: web
    after: db
    members: [{ machine: machine-0002 }]
    steps: { after: [{ name: answers, probe: { kind: tcp, machine: machine-0002, port: 443 } }] }
`;

let server: RunningServer;
beforeAll(async () => {
  server = await startServer();
  await server.client.call(contract.applyPlan, { params: { name: 'shop' }, body: { text: SHOP } });
  for (const n of [1, 2]) {
    await server.catalogue.recordItem(sampleItem(n, { spec: sampleSpec(n) }));
    const sourceTime = new Date(Date.now() - 60_000 * n).toISOString();
    server.points.push(samplePoint(n, { itemId: asId(machineUuid(n)), sourceTime }));
  }
});
afterAll(() => server.close());

const simulate = (over: { readonly kind?: 'test' | 'failover' | 'reprotect'; readonly seed?: number } = {}) =>
  server.client.call(contract.simulatePlan, {
    params: { name: 'shop' },
    body: { kind: 'test', runs: 200, seed: 5, ...over },
  });

const at = (seconds: number) => new Date(Date.UTC(2026, 10, 20) + seconds * 1_000).toISOString();
const task = (id: string, from: number, to: number): JobTask => ({
  id,
  name: id,
  state: 'succeeded',
  startedAt: at(from),
  endedAt: at(to),
});
/** A drill of one machine that was ready after `prepare`, waited a minute for its turn, and ran after `start`. */
const drilled = (
  id: string,
  n: number,
  { prepare, start }: { readonly prepare: number; readonly start: number },
) =>
  server.catalogue.recordJob(
    sampleJob(id, {
      kind: 'testFailover',
      itemId: asId(machineUuid(n)),
      state: 'succeeded',
      startedAt: at(0),
      endedAt: at(prepare + 60 + start),
      tasks: [task('nic', prepare - 1, prepare), task('vm', prepare + 60, prepare + 60 + start)],
    }),
  );

test('without earlier runs it says what it assumes; with them it draws from what they took', async () => {
  const assumed = await simulate();
  expect(assumed.assumptions.join()).toMatch(
    /machine-0001, machine-0002: no machine has made this move before/,
  );
  expect(assumed.rpoSeconds).toBeGreaterThanOrEqual(120);
  for (const n of [1, 2]) {
    for (const run of [1, 2, 3]) await drilled(`d-${n}-${run}`, n, { prepare: 100 * n, start: 20 });
  }
  const { itemId: _, ...run } = sampleJob('run', { kind: 'testPlan', subject: 'shop', state: 'succeeded' });
  const steps = [{ step: 'answers', outcome: 'succeeded', startedAt: at(0), endedAt: at(7) }];
  for (const id of ['r-1', 'r-2', 'r-3']) {
    await server.catalogue.recordJob({ ...run, id: asId(id), result: { steps } });
  }
  const taskId = 'step-answers';
  const other = steps.map((each) => ({ ...each, taskId, endedAt: at(900) }));
  const decisions = [{ decision: 'retry', taskId, action: { kind: 'wait', seconds: 900 } }];
  await server.catalogue.recordJob({ ...run, id: asId('r-4'), result: { steps: other, decisions } });
  const played = await simulate();
  expect(played).toMatchObject({
    name: 'shop',
    version: 1,
    kind: 'test',
    runs: 200,
    seed: 5,
    assumptions: [],
  });
  expect(played.rtoSeconds.min).toBe(played.rtoSeconds.max);
  expect(played.criticalPath.links.map(({ name }) => name)).toContain('answers');
  expect(await simulate()).toMatchObject({ rtoSeconds: played.rtoSeconds });
});

describe('what is in the way', () => {
  const told = async (kind: 'test' | 'failover' | 'reprotect' = 'test') =>
    (await simulate({ kind })).clashes.map(({ message }) => message);

  test('nothing, where nothing is', async () => {
    server.runbooks.region = regionWith({});
    expect(await told()).toEqual([]);
    expect(server.runbooks.calls.findLast(({ name }) => name === 'lookAtRegion')).toMatchObject({
      args: [{ location: 'westeurope', vmSizes: ['Standard_D2s_v5'], subnetIds: [SUBNET] }],
    });
  });

  test('quota that one machine has and all together have not', async () => {
    server.runbooks.region = regionWith({ usages: [{ name: 'cores', used: 8, limit: 11 }] });
    expect(await told()).toEqual(['quota cores in westeurope: the run needs 4, 3 of 11 are free']);
    server.runbooks.region = regionWith({});
  });

  test('interfaces whose quota Azure does not tell are told as not checked', async () => {
    const untold = 'quota of network interfaces in westeurope: Azure does not tell it';
    expect((await simulate()).notChecked).not.toContain(untold);
    server.runbooks.region = regionWith({ usages: [{ name: 'cores', used: 0, limit: 100 }] });
    expect(await simulate()).toMatchObject({ clashes: [], notChecked: expect.arrayContaining([untold]) });
    server.runbooks.region = regionWith({});
  });

  test('what the state of a machine refuses, and what runs', async () => {
    expect(await told('reprotect')).toEqual([
      expect.stringContaining('machine-0001: '),
      expect.stringContaining('machine-0002: '),
    ]);
    const { itemId: _, ...job } = sampleJob('busy', { kind: 'failoverPlan', subject: 'shop' });
    await server.catalogue.recordJob(job);
    expect(await told()).toEqual(['plan shop runs already, job busy']);
    await server.catalogue.recordJob({ ...job, state: 'succeeded', revision: job.revision + 1 });
  });

  test('an Azure that does not answer is told as not checked', async () => {
    server.runbooks.failures.set('lookAtRegion', [
      new DrError('DR_AZURE_UNREACHABLE', { reason: 'ETIMEDOUT' }),
    ]);
    const { clashes, notChecked } = await simulate();
    expect(clashes).toEqual([]);
    expect(notChecked.join()).toMatch(/quota, sizes and subnets in westeurope: .*ETIMEDOUT/);
  });
});

describe('what a drill costs', () => {
  const apply = (drill: string) =>
    server.client.call(contract.applyPlan, {
      params: { name: 'shop' },
      body: { text: SHOP.replace(`drill: { subnet: ${SUBNET} }`, `drill: { subnet: ${SUBNET}, ${drill} }`) },
    });
  afterEach(() => {
    server.runbooks.perHour = 0.4;
  });
  afterAll(() => server.client.call(contract.applyPlan, { params: { name: 'shop' }, body: { text: SHOP } }));

  test('is told in dollars where the plan has no limit, and of a drill only', async () => {
    await apply('cleanupAfter: 210m');
    const { cost, clashes } = await simulate();
    expect(clashes).toEqual([]);
    expect(cost).toEqual({
      amount: 3.2,
      currency: 'USD',
      hours: 4,
      counted: expect.stringMatching(/^machines by Azure's price list.*; not disks/),
      machines: [
        { machineName: 'machine-0001', amount: 1.6 },
        { machineName: 'machine-0002', amount: 1.6 },
      ],
      unpriced: [],
    });
    expect(server.runbooks.calls.at(-1)).toMatchObject({
      name: 'priceMachines',
      args: [
        {
          location: 'westeurope',
          currency: 'USD',
          machines: [{ vmSize: 'Standard_D2s_v5', isWindows: expect.any(Boolean) }],
        },
      ],
    });
    expect(await simulate({ kind: 'failover' })).not.toHaveProperty('cost');
  });

  test('is in the way when it is above the limit of the plan, in the words the drill is refused with', async () => {
    await apply('cleanupAfter: 4h, costLimit: 3.2 EUR');
    expect(await simulate()).toMatchObject({
      clashes: [],
      cost: { amount: 3.2, currency: 'EUR', limit: 3.2 },
    });
    await apply('cleanupAfter: 4h, costLimit: 3.19 EUR');
    const { clashes, cost } = await simulate();
    expect(clashes).toEqual([
      {
        kind: 'plan',
        message:
          'The drill of plan "shop" would cost 3.20 EUR for 4 h, its limit is 3.19 EUR: machine-0001 1.60 EUR, machine-0002 1.60 EUR',
        machines: [],
      },
    ]);
    expect(cost).toMatchObject({ amount: 3.2, limit: 3.19 });
  });

  test('is not checked when the price list does not answer; the simulation goes on', async () => {
    await apply('cleanupAfter: 4h');
    const away = () =>
      server.runbooks.failures.set('priceMachines', [
        new DrError('DR_AZURE_PRICES_UNREADABLE', { reason: 'ETIMEDOUT' }),
      ]);
    away();
    const unlimited = await simulate();
    expect(unlimited).not.toHaveProperty('cost');
    expect(unlimited.clashes).toEqual([]);
    expect(unlimited.notChecked.at(-1)).toBe(
      'what the drill costs in westeurope: The price list of Azure cannot be read: ETIMEDOUT',
    );
    await apply('cleanupAfter: 4h, costLimit: 25 EUR');
    away();
    const limited = await simulate();
    expect(limited.clashes).toEqual([]);
    expect(limited.notChecked.at(-1)).toMatch(/ETIMEDOUT; with drill\.costLimit a drill does not begin/);
  });

  test('a machine that the list does not have is named; with a limit the drill would be refused', async () => {
    server.runbooks.perHour = undefined;
    await apply('cleanupAfter: 4h');
    const nothing =
      'the price list of Azure has no price for machine-0001 (Standard_D2s_v5), machine-0002 (Standard_D2s_v5)';
    expect(await simulate()).toMatchObject({
      clashes: [],
      notChecked: expect.arrayContaining([`what the drill costs in full: ${nothing}`]),
    });
    await apply('cleanupAfter: 4h, costLimit: 25 EUR');
    expect((await simulate()).clashes).toMatchObject([
      {
        kind: 'plan',
        message: expect.stringMatching(/^The drill of plan "shop" may cost 25 EUR, .*no price for/),
      },
    ]);
  });
});

describe('a run', () => {
  const begun = async (kind: 'test' | 'commit', choice?: 'latest' | 'latestAppConsistent') => {
    const body = { kind, ...(choice === undefined ? {} : { choice: { kind: choice } }) };
    await server.client.call(contract.runPlan, { params: { name: 'shop' }, body });
    const { args } = server.runbooks.calls.findLast(({ name }) => name === 'runPlan') ?? { args: [] };
    return args[0] as PlanRunInput;
  };

  test('pins what the simulation says of it when it begins', async () => {
    const { prediction } = await begun('test');
    expect(prediction).toMatchObject({ rtoSecondsP50: expect.any(Number), madeAt: expect.any(String) });
    expect(prediction?.rtoSecondsP90).toBeGreaterThanOrEqual(prediction?.rtoSecondsP50 ?? Infinity);
    expect(prediction?.rpoSeconds).toBeGreaterThanOrEqual(120);
    expect(await begun('commit')).not.toHaveProperty('prediction');
  });

  test('that does not take the newest points is told no RPO', async () => {
    expect((await begun('test', 'latest')).prediction).toHaveProperty('rpoSeconds');
    const { prediction } = await begun('test', 'latestAppConsistent');
    expect(prediction).toHaveProperty('rtoSecondsP50');
    expect(prediction).not.toHaveProperty('rpoSeconds');
  });

  test('begins all the same when recovery points cannot be read: then nothing is said of the RPO', async () => {
    const away = new DrError('DR_STORAGE_UNREACHABLE', { account: 'acme', reason: 'ETIMEDOUT' });
    server.pointFailures.push(away, away);
    const { prediction } = await begun('test');
    expect(prediction).toHaveProperty('rtoSecondsP50');
    expect(prediction).not.toHaveProperty('rpoSeconds');
  });
});

test('the command shows it and ends with 4 when something is in the way', async () => {
  const cli = (line: string) => runCli(line.split(' '), { env: operatorOf(server) });
  const good = await cli('plan simulate shop --kind test --seed 5');
  expect(good).toMatchObject({ exit: 0, stderr: '' });
  expect(good.stdout).toMatch(
    /^test of plan shop, version \d+: 1000 repetitions, seed 5\. Nothing was touched\.\n/,
  );
  expect(good.stdout).toMatch(/RTO p90 +\d+/);
  expect(good.stdout).toMatch(/\nCost +3\.20 USD for 4 h of 2 machines\n/);
  expect(good.stdout).toMatch(/group web +machine-0002 +100 %/);
  expect(good.stdout).toMatch(/Not checked:\n {2}\? what an Azure policy forbids/);
  const bad = await cli('plan simulate shop --kind reprotect --output json');
  expect(bad.exit).toBe(4);
  expect(JSON.parse(bad.stdout)).toMatchObject({ kind: 'reprotect', clashes: [{ kind: 'refused' }, {}] });
  expect((await cli('plan simulate shop --kind sideways')).exit).toBe(2);
  expect((await cli('plan simulate nobody --kind test')).exit).toBe(3);
});

function regionWith(more: Partial<RunningServer['runbooks']['region']>): RunningServer['runbooks']['region'] {
  const facts = {
    subnetId: SUBNET,
    networkId: '/v',
    addressPrefix: '10.1.0.0/24',
    reaches: [],
    usedAddresses: [],
  };
  return {
    sizes: [{ name: 'Standard_D2s_v5', cores: 2, family: 'standardDSv5Family' }],
    usages: [{ name: 'NetworkInterfaces', used: 0, limit: 65_536 }],
    subnets: [{ subnetId: SUBNET, facts }],
    ...more,
  };
}
