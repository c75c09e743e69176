import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { contract } from '../../api/contract.ts';
import { DrError } from '../../domain/errors.ts';
import { asId } from '../../domain/ids.ts';
import { MISSED_DRILL_TASK } from '../../domain/job.ts';
import { watchDrills } from '../../server/watch/drill-watch.ts';
import { watchReadiness } from '../../server/watch/readiness-watch.ts';
import { operatorOf, runCli } from '../cli/run.ts';
import { sampleItem, sampleJob, samplePoint, sampleSpec } from '../support/samples.ts';
import { startServer, type RunningServer } from '../support/server.ts';

const SHOP = `apiVersion: switchback/v1
kind: RecoveryPlan
name: shop
groups: [{ name: all, members: [{ machine: machine-0001 }] }]
`;

let server: RunningServer;
let minutes = 0;
beforeAll(async () => {
  server = await startServer();
  await server.client.call(contract.applyPlan, { params: { name: 'shop' }, body: { text: SHOP } });
});
afterAll(() => server.close());
beforeEach(() => server.catalogue.outbox.forget(new Date(Date.now() + 864e5)));

/** A minute later each time: of looks that follow closer only the first looks. */
const nextMinute = () => {
  minutes += 1;
  return new Date(Date.now() + minutes * 60_000);
};
const deps = () => {
  const { catalogue, runbooks } = server;
  const page = async () => ({ items: server.points.slice(0, 1) });
  return { catalogue, runbooks, points: { page }, log: { warn: () => undefined } as never };
};
const look = () => watchReadiness(deps(), nextMinute());
const told = async () => (await server.catalogue.outbox.list({ limit: 9 })).items;

let revision = 0;
const protect = (conditions: ReturnType<typeof sampleItem>['conditions'] = [], over = {}) => {
  revision += 1;
  server.points.length = 0;
  server.points.push(samplePoint(1, { sourceTime: new Date().toISOString() }));
  return server.catalogue.recordItem(sampleItem(1, { spec: sampleSpec(1), revision, conditions, ...over }));
};
const silentVCenter = [
  {
    type: 'DR_VCENTER_UNREACHABLE',
    category: 'critical' as const,
    reason: 'vCenter does not answer',
    suggestion: 'Look at the network.',
    since: '2026-11-21T09:00:00.000Z',
  },
];

test('readiness that is lost for two looks is told once, whoever looks, and so is that it is back', async () => {
  await protect();
  await look();
  await protect(silentVCenter);
  await look();
  expect(await told()).toEqual([]);
  const now = nextMinute();
  await watchReadiness(deps(), now);
  await watchReadiness(deps(), now);
  const [lost, ...more] = await told();
  expect(more).toEqual([]);
  expect(lost).toMatchObject({
    event: 'readinessLost',
    about: { plans: ['shop'], machines: ['machine-0001'] },
    text: expect.stringContaining('machine-0001: vCenter does not answer (since 2026-11-21 09:00:00 UTC)'),
  });
  await protect();
  await look();
  await look();
  await look();
  expect((await told()).map(({ event }) => event)).toEqual(['readinessRegained', 'readinessLost']);
});

test('a machine that is being moved, and the plan it is of, are left alone until that is over', async () => {
  const running = { operation: 'failover', operationId: asId('op') };
  await protect([], { state: 'failingOver', running });
  await look();
  await look();
  await look();
  expect(await told()).toEqual([]);
  await protect([], { state: 'committed', activeLocation: 'azure' });
  await look();
  await look();
  expect(await told()).toMatchObject([
    { event: 'readinessLost', text: expect.stringContaining('switchback item reprotect machine-0001') },
  ]);
});

test('a storage account or a catalogue that fails ends one look and forgets nothing', async () => {
  await protect();
  await look();
  await look();
  const failing = { page: () => Promise.reject(new DrError('DR_INTERNAL', { reason: 'odd' })) };
  await server.catalogue.outbox.forget(new Date(Date.now() + 864e5));
  await expect(watchReadiness({ ...deps(), points: failing }, nextMinute())).rejects.toThrow('odd');
  await look();
  expect(await told()).toEqual([]);
});

test('drills that a schedule missed are told once each, also after the schedule was removed and made anew', async () => {
  const schedule = { cron: '0 3 * * 6', timeZone: 'UTC', jitterSeconds: 0, blackouts: [] };
  const shown = await server.runbooks.putSchedule('shop', schedule);
  const drills = () => watchDrills(deps(), nextMinute());
  await drills();
  expect(await told()).toEqual([]);
  const misses = { ...shown, missed: 2, paused: true, pausedByFailure: true, note: 'paused due to it' };
  server.runbooks.schedules.set('shop', misses);
  await drills();
  await drills();
  expect((await told()).map(({ subject }) => subject).toSorted()).toEqual([
    '2 drills of plan shop were missed',
    'Drills of plan shop are paused: one has failed',
  ]);
  server.runbooks.schedules.delete('shop');
  await drills();
  server.runbooks.schedules.set('shop', { ...shown, missed: 1 });
  await drills();
  expect(await told()).toHaveLength(3);
});

test('a schedule shows how many drills were missed, and why', async () => {
  const { itemId: _, ...job } = sampleJob('missed-1', {
    kind: 'testPlan',
    subject: 'shop',
    state: 'cancelled',
    startedAt: '2026-11-21T03:00:00.000Z',
    tasks: [
      {
        id: MISSED_DRILL_TASK,
        name: 'Drill was missed',
        state: 'skipped',
        detail: 'in the blackout until noon',
      },
    ],
  });
  await server.catalogue.recordJob(job);
  expect(await told()).toMatchObject([{ event: 'drillMissed' }]);
  const { stdout } = await runCli(['plan', 'schedule', 'shop'], { env: operatorOf(server) });
  expect(stdout).toContain('  missed 1: nobody was there to begin it within the hour after it was due\n');
  expect(stdout).toContain('  missed 1, last 2026-11-21 03:00:00 UTC: in the blackout until noon\n');
});

test('metrics say how long ago each watch has looked', async () => {
  const metrics = await server.client.call(contract.getMetrics, {});
  expect(metrics).toMatch(/^switchback_watch_age_seconds\{watch="readiness"\} \d/m);
});
