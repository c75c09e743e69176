import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { contract } from '../../api/contract.ts';
import type { RouteInput } from '../../api/route.ts';
import { DrError } from '../../domain/errors.ts';
import { asId } from '../../domain/ids.ts';
import type { PlanDecision, PlanRunInput } from '../../workflows/contracts/plan.ts';
import { machineUuid, sampleItem, sampleMachine, samplePoint, sampleSpec } from '../support/samples.ts';
import { startServer, type RunningServer } from '../support/server.ts';

const SUBNET =
  '/subscriptions/3f2504e0-4f89-41d3-9a0c-0305e82c3301/resourceGroups/dr/providers/Microsoft.Network/virtualNetworks/drill/subnets/default';
const plan = (name: string, more: string) =>
  `apiVersion: switchback/v1\nkind: RecoveryPlan\nname: ${name}\n${more}`;
const SHOP = plan(
  'shop',
  'groups:\n  - name: db\n    members: [{ machine: db }]\n  - name: web\n    after: db\n    members: [{ machine: web }]\n',
);

let server: RunningServer;
const apply = (name: string, text: string) =>
  server.client.call(contract.applyPlan, { params: { name }, body: { text } });
const run = (name: string, body: RouteInput<typeof contract.runPlan>['body']) =>
  server.client.call(contract.runPlan, { params: { name }, body });
const begun = () => {
  const { args } = server.runbooks.calls.findLast((call) => call.name === 'runPlan') ?? { args: [] };
  return args[0] as PlanRunInput;
};

beforeAll(async () => {
  server = await startServer();
  const machines = [
    sampleMachine(1, { name: 'db' }),
    sampleMachine(2, { name: 'web' }),
    sampleMachine(3, { name: 'bare' }),
  ];
  await server.catalogue.recordMachines(asId('vc'), machines, { generation: 'a', complete: true });
  await server.catalogue.recordItem(sampleItem(1, { machineName: 'db', spec: sampleSpec(1) }));
  await server.catalogue.recordItem(sampleItem(2, { machineName: 'web', spec: sampleSpec(2) }));
  await apply('shop', SHOP);
});
afterAll(() => server.close());

describe('a run', () => {
  test('pins the version, its hash, the machines and who asked', async () => {
    const { operationId } = await run('shop', { kind: 'test', subnetId: SUBNET, operationId: 'drill-1' });
    expect(operationId).toBe('drill-1');
    expect(begun()).toMatchObject({
      runId: 'drill-1',
      requestedBy: { principal: 'administrator' },
      kind: 'test',
      plan: { name: 'shop', version: 1, sha256: expect.stringMatching(/^[0-9a-f]{64}$/) },
      members: [
        { machineName: 'db', group: 'db', site: 'main', location: 'westeurope' },
        { machineName: 'web', group: 'web' },
      ],
      choice: { kind: 'latestProcessed' },
      subnetId: SUBNET,
    });
  });

  test('is a job from the moment it is accepted, and the same job when it is asked for again', async () => {
    await run('shop', { kind: 'commit', operationId: 'commit-1' });
    const times = server.runbooks.times('runPlan');
    await run('shop', { kind: 'commit', operationId: 'commit-1' });
    expect(server.runbooks.times('runPlan')).toBe(times);
    const job = await server.client.call(contract.getJob, { params: { id: 'commit-1' } });
    expect(job).toMatchObject({ kind: 'commitPlan', subject: 'shop', state: 'notStarted' });
    await expect(run('shop', { kind: 'failover', operationId: 'commit-1' })).rejects.toMatchObject({
      code: 'DR_REQUEST_INVALID',
    });
  });

  test('to a moment takes the newest point of each machine that is not later', async () => {
    server.points.push(
      ...[1, 2].flatMap((n) => [1, 2, 3].map((at) => samplePoint(at, { itemId: asId(machineUuid(n)) }))),
    );
    const [, second] = server.points;
    if (second === undefined) throw new Error('no point');
    const notLaterThan = second.sourceTime;
    const common = await server.client.call(contract.planPoints, {
      params: { name: 'shop' },
      query: { notLaterThan },
    });
    expect(common).toMatchObject({ without: [], spreadSeconds: 0 });
    expect(common.chosen.map(({ olderBySeconds }) => olderBySeconds)).toEqual([0, 0]);
    await run('shop', { kind: 'failover', notLaterThan });
    expect(begun().members.map(({ pointId }) => pointId)).toEqual([second.pointId, second.pointId]);
    await expect(
      run('shop', { kind: 'failover', notLaterThan: '2001-01-01T00:00:00.000Z' }),
    ).rejects.toMatchObject({ code: 'DR_REQUEST_INVALID', message: expect.stringContaining('db, web') });
  });

  test.each([
    ['of a plan nobody has applied', 'nobody', { kind: 'commit' }, 'DR_PLAN_UNKNOWN', 'nobody'],
    [
      'to one point of several machines',
      'shop',
      { kind: 'failover', choice: { kind: 'custom', pointId: 'p000001' } },
      'DR_REQUEST_INVALID',
      'notLaterThan',
    ],
    ['of a drill without a subnet', 'shop', { kind: 'test' }, 'DR_REQUEST_INVALID', 'drill.subnetId'],
  ] as const)('%s is refused', async (_, name, body, code, names) => {
    await expect(run(name, body)).rejects.toMatchObject({ code, message: expect.stringContaining(names) });
  });

  test.each([
    [
      'a machine that is not protected',
      'groups: [{ name: a, members: [{ machine: bare }] }]\n',
      'is not protected',
    ],
    [
      'a machine that is not there',
      'groups: [{ name: a, members: [{ machine: ghost }] }]\n',
      'selects no machine',
    ],
    [
      'one point over several machines',
      'groups: [{ name: a, consistent: true, members: [{ machine: db }, { machine: web }] }]\n',
      'consistent',
    ],
  ])('of a plan with %s does not begin', async (_, text, names) => {
    await apply('unready', plan('unready', text));
    const times = server.runbooks.times('runPlan');
    await expect(run('unready', { kind: 'commit' })).rejects.toMatchObject({
      code: 'DR_PLAN_NOT_READY',
      message: expect.stringContaining(names),
    });
    expect(server.runbooks.times('runPlan')).toBe(times);
  });

  test('beside another run of the plan is refused with its job', async () => {
    const running = new DrError('DR_PLAN_RUNNING', { plan: 'shop', job: 'drill-1' });
    server.runbooks.failures.set('runPlan', [running]);
    await expect(run('shop', { kind: 'commit', operationId: 'late' })).rejects.toMatchObject({
      code: 'DR_PLAN_RUNNING',
      message: expect.stringContaining('drill-1'),
    });
    const late = server.client.call(contract.getJob, { params: { id: 'late' } });
    await expect(late).rejects.toMatchObject({ code: 'DR_JOB_UNKNOWN' });
  });
});

test('a decision about a run goes to the run of its plan, with the task it names', async () => {
  await run('shop', { kind: 'commit', operationId: 'asked-1' });
  await server.client.call(contract.decideJob, {
    params: { id: 'asked-1' },
    body: { decision: 'approve', taskId: 'step-ask', reason: 'told' },
  });
  const { args } = server.runbooks.calls.findLast((call) => call.name === 'decidePlan') ?? { args: [] };
  const [subject, decision] = args as readonly [string, PlanDecision];
  expect(subject).toBe('shop');
  expect(decision).toMatchObject({ job: 'asked-1', decision: 'approve', taskId: 'step-ask', reason: 'told' });
});

test('a schedule belongs to a plan that exists, in a time zone that exists', async () => {
  const put = (name: string, timeZone: string) =>
    server.client.call(contract.putPlanSchedule, { params: { name }, body: { cron: '0 3 * * 6', timeZone } });
  await expect(put('nobody', 'UTC')).rejects.toMatchObject({ code: 'DR_PLAN_UNKNOWN' });
  await expect(put('shop', 'Berlin')).rejects.toMatchObject({ code: 'DR_REQUEST_INVALID' });
  expect(await put('shop', 'Europe/Berlin')).toMatchObject({ cron: '0 3 * * 6', jitterSeconds: 600 });
});
