import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Agent, request } from 'undici';
import { contract } from '../../api/contract.ts';
import { DrError } from '../../domain/errors.ts';
import { asId } from '../../domain/ids.ts';
import { memberDigest } from '../../domain/plan/member-digest.ts';
import { readinessMetrics } from '../../server/readiness-metrics.ts';
import { machineUuid, sampleItem, sampleJob, samplePoint, sampleSpec } from '../support/samples.ts';
import { startServer, type RunningServer } from '../support/server.ts';

const SHOP = `apiVersion: switchback/v1
kind: RecoveryPlan
name: shop
groups:
  - { name: db, members: [{ machine: machine-0001 }] }
  - { name: web, after: db, members: [{ machine: machine-0002 }] }
`;

let server: RunningServer;
beforeAll(async () => {
  server = await startServer();
  await server.client.call(contract.applyPlan, { params: { name: 'shop' }, body: { text: SHOP } });
  for (const n of [1, 2]) await protect(n);
});
afterAll(() => server.close());

async function protect(n: number, over: Parameters<typeof sampleItem>[1] = {}) {
  await server.catalogue.recordItem(sampleItem(n, { spec: sampleSpec(n), ...over }));
  const sourceTime = new Date(Date.now() - 60_000).toISOString();
  server.points.push(samplePoint(n, { itemId: asId(machineUuid(n)), sourceTime }));
}

let jobs = 0;
const ended = (over: Parameters<typeof sampleJob>[1]) => {
  jobs += 1;
  const at = (minute: number) => new Date(Date.UTC(2026, 10, 20, 10, 10 * jobs + minute)).toISOString();
  return sampleJob(`job-${jobs}`, { state: 'succeeded', startedAt: at(0), endedAt: at(5), ...over });
};
const planRun = (
  kind: 'testPlan' | 'cleanupPlan',
  outcome = 'succeeded',
  version = 1,
  digest?: Readonly<Record<string, string>>,
  decisions: readonly object[] = [],
) => {
  const { itemId: _, ...job } = ended({
    kind,
    subject: 'shop',
    result: {
      plan: { name: 'shop', version },
      rtoSeconds: 5,
      members: [1, 2].map((n) => ({
        itemId: machineUuid(n),
        outcome: n === 2 ? outcome : 'succeeded',
        ...(digest === undefined ? {} : { digest }),
      })),
      steps: [],
      decisions,
    },
  });
  return server.catalogue.recordJob(job);
};
const drilled = (n: number, rtoSeconds: number, kind: 'testFailover' | 'failback' = 'testFailover') =>
  server.catalogue.recordJob(ended({ kind, itemId: asId(machineUuid(n)), result: { rtoSeconds } }));
const plan = () => server.client.call(contract.getPlanReadiness, { params: { name: 'shop' } });
const all = () => server.client.call(contract.getReadiness, {});

test('times are known from the last five drills of each machine, and added along the plan', async () => {
  expect(await plan()).not.toHaveProperty('expectedRtoSeconds');
  for (const seconds of [9_000, 40, 40, 60, 80, 80]) await drilled(1, seconds);
  await drilled(2, 30);
  await drilled(2, 9_000, 'failback');
  const seen = await plan();
  expect(seen).toMatchObject({ ready: true, version: 1, expectedRtoSeconds: 90, reasons: [] });
  expect(seen.members.map(({ machineName, group, nextMove }) => [machineName, group, nextMove])).toEqual([
    ['machine-0001', 'db', 'failover'],
    ['machine-0002', 'web', 'failover'],
  ]);
  expect(seen.expectedRpoSeconds).toBeGreaterThanOrEqual(60);
});

test('a plan is verified by a drill that was cleaned up, and no longer once it is edited', async () => {
  expect(await plan()).toMatchObject({ verified: false, notVerified: { code: 'DR_PLAN_NOT_VERIFIED' } });
  await planRun('testPlan');
  expect(await plan()).toMatchObject({ verified: false });
  await planRun('cleanupPlan', 'skipped');
  expect(await plan()).toMatchObject({ verified: false });
  await planRun('cleanupPlan', 'reached');
  expect(await plan()).toMatchObject({ verified: true });
  const before = (await plan()).lastGoodDrillAt;
  const decision = { decision: 'retry', taskId: 'step-dns', reason: '' };
  await planRun('testPlan', 'succeeded', 1, undefined, [
    { ...decision, action: { kind: 'wait', seconds: 1 } },
  ]);
  await planRun('cleanupPlan');
  expect(await plan()).toMatchObject({ lastGoodDrillAt: before });
  await planRun('testPlan', 'succeeded', 1, undefined, [decision]);
  await planRun('cleanupPlan');
  expect((await plan()).lastGoodDrillAt).not.toBe(before);
  const text = SHOP.replace('name: shop\n', 'name: shop\ndescription: edited\n');
  await server.client.call(contract.applyPlan, { params: { name: 'shop' }, body: { text } });
  const { plans } = await all();
  expect(plans).toMatchObject([{ name: 'shop', version: 2, verified: false, ready: true }]);
  expect(plans[0]?.notVerified?.message).toContain('version 1, not 2');
  await planRun('testPlan', 'succeeded', 2);
  await planRun('cleanupPlan', 'succeeded', 2);
  expect(await plan()).toMatchObject({ verified: true });
});

test('a plan is verified no longer once a machine of it changed, and every list says which and what', async () => {
  const was = memberDigest(sampleSpec(1));
  await planRun('testPlan', 'succeeded', 2, was);
  await planRun('cleanupPlan', 'succeeded', 2);
  expect(await plan()).toMatchObject({ verified: true });
  const target = { ...sampleSpec(1).target, vmSize: 'Standard_D8s_v5' };
  await protect(1, { revision: 2, spec: sampleSpec(1, { target }) });
  const message =
    'since its last good drill machine-0001 changed (size was Standard_D2s_v5, is Standard_D8s_v5)';
  expect(await plan()).toMatchObject({ verified: false, notVerified: { message } });
  const params = { name: 'shop' };
  for (const told of [
    await server.client.call(contract.getPlan, { params, query: {} }),
    await server.client.call(contract.getPlanMembers, { params }),
    (await server.client.call(contract.listPlans, { query: {} })).items[0],
  ]) {
    expect(told).toMatchObject({ verified: false, notVerified: { message } });
  }
  const old = await server.client.call(contract.getPlan, { params, query: { version: 1 } });
  expect(old).not.toHaveProperty('verified');
  await protect(1, { revision: 3 });
  expect(await plan()).toMatchObject({ verified: true });
});

test('a storage account that is away is a reason, not a failure', async () => {
  const away = new DrError('DR_STORAGE_UNREACHABLE', { account: 'acme', reason: 'ETIMEDOUT' });
  server.pointFailures.push(away, away);
  const { items, plans } = await all();
  expect(items).toHaveLength(2);
  for (const item of items) {
    expect(item).toMatchObject({ ready: false, reasons: [{ code: 'DR_STORAGE_UNREACHABLE' }] });
    expect(item).not.toHaveProperty('expectedRpoSeconds');
  }
  expect(plans[0]).toMatchObject({ ready: false });
  expect(plans[0]?.reasons.map(({ machine }) => machine)).toEqual(['machine-0001', 'machine-0002']);
  expect((await all()).plans[0]).toMatchObject({ ready: true });
});

test('a storage account that is away is not asked again for each machine', async () => {
  const numbers = Array.from({ length: 40 }, (_, n) => 100 + n);
  for (const n of numbers) await server.catalogue.recordItem(sampleItem(n, { spec: sampleSpec(n) }));
  const away = new DrError('DR_STORAGE_UNREACHABLE', { account: 'acme', reason: 'ETIMEDOUT' });
  server.pointFailures.push(...numbers.map(() => away));
  server.pointReads.length = 0;
  const { items } = await all();
  server.pointFailures.length = 0;
  expect(server.pointReads).toHaveLength(16);
  expect(items).toHaveLength(42);
  for (const { reasons } of items) expect(reasons).toMatchObject([{ code: 'DR_STORAGE_UNREACHABLE' }]);
  for (const n of numbers)
    await server.catalogue.recordItem(sampleItem(n, { revision: 2, state: 'disabled' }));
});

test('metrics say the same to Prometheus, and to nobody without a token', async () => {
  const text = await server.client.call(contract.getMetrics, {});
  const labels = `item="${machineUuid(1)}",machine="machine-0001"`;
  expect(text.split('\n')).toEqual(
    expect.arrayContaining([
      '# TYPE switchback_ready gauge',
      `switchback_ready{${labels}} 1`,
      'switchback_ready{plan="shop"} 1',
      `switchback_expected_rto_seconds{${labels}} 60`,
      'switchback_verified{plan="shop"} 1',
    ]),
  );
  expect(text).toMatch(/^(?:(?:# (?:HELP|TYPE) .+|[a-z_]+\{[^{}]+\} [\d.]+)\n)+$/);
  const dispatcher = new Agent({ connect: { ca: server.authorityPem } });
  const ask = async (token: string) => {
    const headers = { authorization: `Bearer ${token}` };
    const answer = await request(`${server.url}/metrics`, { dispatcher, headers });
    await answer.body.dump();
    return answer;
  };
  expect((await ask(server.token)).headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8');
  expect((await ask('nobody')).statusCode).toBe(401);
  await dispatcher.close();
});

test('names in metrics are written so that no name ends its label', () => {
  const item = { itemId: 'i', machineName: 'a"b\\c', ready: false };
  expect(readinessMetrics({ items: [item], plans: [] })).toContain('machine="a\\"b\\\\c"} 0\n');
});

test('a plan that no run could keep is not ready', async () => {
  const members = '[{ machine: machine-0001 }, { machine: machine-0002 }]';
  const groups = `groups: [{ name: all, consistent: true, members: ${members} }]\n`;
  const text = SHOP.replace('name: shop', 'name: kept').replace(/groups:[^]*/, groups);
  await server.client.call(contract.applyPlan, { params: { name: 'kept' }, body: { text } });
  const seen = await server.client.call(contract.getPlanReadiness, { params: { name: 'kept' } });
  expect(seen).toMatchObject({ ready: false });
  expect(seen.reasons.map(({ message }) => message).join()).toContain('group all: consistent');
});

test('what changes is seen by the next request: an item that falls ill, a machine that is protected no more', async () => {
  const condition = {
    type: 'DR_VCENTER_UNREACHABLE',
    category: 'critical' as const,
    reason: 'vCenter does not answer',
    suggestion: 'Look at the network.',
    since: '2026-11-21T09:00:00.000Z',
  };
  await protect(2, { revision: 2, health: 'critical', conditions: [condition] });
  expect(await plan()).toMatchObject({
    ready: false,
    reasons: [{ machine: 'machine-0002', code: 'DR_VCENTER_UNREACHABLE', since: condition.since }],
  });
  await protect(2, { revision: 3, state: 'disabled' });
  const seen = await plan();
  expect(seen).toMatchObject({ ready: false, verified: false, reasons: [{ code: 'DR_PLAN_NOT_READY' }] });
  expect((await all()).items).toHaveLength(1);
});

test('a machine that runs in Azure is asked about its way home, and its old points are not read', async () => {
  await drilled(1, 700, 'failback');
  await protect(1, { revision: 4, state: 'protectedReverse', activeLocation: 'azure', direction: 'reverse' });
  server.pointReads.length = 0;
  const { items } = await all();
  expect(items).toMatchObject([{ nextMove: 'failback', ready: true, expectedRtoSeconds: 700 }]);
  expect(items[0]).not.toHaveProperty('expectedRpoSeconds');
  expect(server.pointReads).toEqual([]);
});

test('readiness of a plan that does not exist is refused by name', async () => {
  const asked = server.client.call(contract.getPlanReadiness, { params: { name: 'nobody' } });
  await expect(asked).rejects.toMatchObject({ code: 'DR_PLAN_UNKNOWN', status: 404 });
});
