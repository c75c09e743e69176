import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { pino } from 'pino';
import { contract } from '../../api/contract.ts';
import { DrError } from '../../domain/errors.ts';
import { pauseSeconds, notificationEvents, type Notification } from '../../domain/notification.ts';
import type { NotificationReceiver } from '../../domain/ports.ts';
import { Notifier } from '../../server/notifications/notifier.ts';
import { asId } from '../../domain/ids.ts';
import { MISSED_DRILL_TASK } from '../../domain/job.ts';
import { watchDrills } from '../../server/watch/drill-watch.ts';
import { watchReadiness } from '../../server/watch/readiness-watch.ts';
import { operatorOf, runCli } from '../cli/run.ts';
import { sampleItem, sampleJob, samplePoint, sampleSpec } from '../support/samples.ts';
import { startServer, type RunningServer } from '../support/server.ts';

const away = new DrError('DR_NOTIFICATION_FAILED', { receiver: 'hook', reason: '503' });

/** Remembers what it was sent; what it does then stands in `next`. */
function receiver(name: string, events = notificationEvents as NotificationReceiver['events']) {
  const sent: Notification[] = [];
  const next: (() => Promise<void>)[] = [];
  return {
    name,
    events,
    sent,
    next,
    async send(notification: Notification) {
      sent.push(notification);
      await next.shift()?.();
      return { detail: '204' };
    },
  };
}

const hook = receiver('hook');
const mail = receiver('mail', ['waitingForInput']);
const SHOP = `apiVersion: switchback/v1
kind: RecoveryPlan
name: shop
groups: [{ name: all, members: [{ machine: machine-0001 }] }]
`;

let server: RunningServer;
let clock: Date;
beforeAll(async () => {
  server = await startServer({ receivers: [hook, mail] });
});
afterAll(() => server.close());
beforeEach(async () => {
  clock = new Date();
  await server.catalogue.outbox.forget(new Date(clock.getTime() + 864e5));
  hook.sent.length = mail.sent.length = 0;
});

const notifier = (receivers: readonly NotificationReceiver[] = [hook, mail]) =>
  new Notifier({
    outbox: server.catalogue.outbox,
    receivers,
    log: pino({ level: 'silent' }),
    now: () => clock,
  });
const deliver = (by = notifier(), signal = new AbortController().signal) => roundOf(by, signal);
/** As all rounds of a server do it, once each. */
async function roundOf(by: Notifier, signal: AbortSignal) {
  await by.address();
  await Promise.all(by.receivers.map((name) => by.deliverTo(name, signal)));
}
const later = (seconds: number) => {
  clock = new Date(clock.getTime() + seconds * 1_000);
};
const list = async (query = {}) => (await server.client.call(contract.listNotifications, { query })).items;
let jobs = 0;
const fail = async () => {
  jobs += 1;
  const job = sampleJob(`failing-${jobs}`, { kind: 'failover', state: 'failed', revision: 3 });
  await server.catalogue.recordJob(job);
  return job;
};

test('a job that is recorded again, or late, tells nothing twice', async () => {
  const job = await fail();
  await server.catalogue.recordJob(job);
  await server.catalogue.recordJob({ ...job, revision: 2 });
  await server.catalogue.recordJob({ ...job, revision: 7 });
  await deliver();
  await deliver();
  expect(hook.sent).toHaveLength(1);
  expect(mail.sent).toEqual([]);
  expect(await list()).toMatchObject([
    { event: 'failed', deliveries: [{ receiver: 'hook', state: 'sent', tries: 1 }] },
  ]);
});

test('whoever dies between sending and noting it sends the same id again, and nobody else does', async () => {
  await fail();
  const dying = new AbortController();
  hook.next.push(async () => {
    dying.abort();
    throw new Error('killed');
  });
  await expect(deliver(notifier(), dying.signal)).rejects.toThrow('killed');
  await deliver();
  expect(hook.sent).toHaveLength(1);
  later(pauseSeconds(1));
  await deliver();
  expect(hook.sent.map(({ id }) => id)).toEqual([hook.sent[0]?.id, hook.sent[0]?.id]);
  later(86_400);
  await deliver();
  expect(hook.sent).toHaveLength(2);
});

test('two servers that deliver at the same time send each notification once', async () => {
  for (let n = 0; n < 5; n += 1) await fail();
  await Promise.all([deliver(), deliver(notifier())]);
  expect(new Set(hook.sent.map(({ id }) => id)).size).toBe(5);
  expect(hook.sent).toHaveLength(5);
});

test('a receiver that is away is tried again after ever longer pauses, and given up after a day', async () => {
  await fail();
  hook.next.push(...Array.from({ length: 9 }, () => () => Promise.reject(away)));
  await deliver();
  expect(await list({ state: 'waiting' })).toMatchObject([
    {
      deliveries: [
        { tries: 1, problem: away.message, nextAt: new Date(clock.getTime() + 30_000).toISOString() },
      ],
    },
  ]);
  later(29);
  await deliver();
  expect(hook.sent).toHaveLength(1);
  for (const tries of [1, 2, 3, 4]) {
    later(pauseSeconds(tries));
    await deliver();
    expect(hook.sent).toHaveLength(tries + 1);
  }
  later(86_400);
  await deliver();
  hook.next.length = 0;
  const [givenUp] = await list({ state: 'givenUp' });
  expect(givenUp?.deliveries).toMatchObject([{ state: 'givenUp', problem: away.message }]);
  const metrics = await server.client.call(contract.getMetrics, {});
  expect(metrics).toContain('switchback_notification_deliveries{receiver="hook",state="givenUp"} 1\n');
});

test('a receiver that takes its time delays no other one', async () => {
  const { signal } = new AbortController();
  const by = notifier();
  const job = { kind: 'failover', state: 'waitingForInput' } as const;
  const ask = (n: number) => server.catalogue.recordJob(sampleJob(`asking-${n}`, job));
  const slow = Promise.withResolvers<void>();
  hook.next.push(() => slow.promise);
  await ask(1);
  await by.address();
  const stuck = by.deliverTo('hook', signal);
  await ask(2);
  await by.address();
  await by.deliverTo('mail', signal);
  expect(mail.sent).toHaveLength(2);
  slow.resolve();
  await stuck;
  expect(hook.sent).toHaveLength(2);
});

test('what is no refusal of a receiver is logged when it is tried', async () => {
  hook.next.push(() => Promise.reject(new TypeError('odd')));
  expect(await server.notifier.test('olga')).toMatchObject([{ ok: false }, { ok: true }]);
  expect(server.logged.find((line) => line.includes('TypeError'))).toContain('"receiver":"hook"');
});

test('what waits for a receiver that was taken out of the configuration is given up', async () => {
  await fail();
  hook.next.push(() => Promise.reject(away));
  await deliver();
  await deliver(notifier([mail]));
  expect(await list()).toMatchObject([
    { deliveries: [{ receiver: 'hook', state: 'givenUp', problem: 'there is no such receiver any more' }] },
  ]);
});

test('the command line lists what was told, and tests every receiver', async () => {
  const cli = (line: string) => runCli(line.split(' '), { env: operatorOf(server) });
  expect((await cli('notification list')).stdout).toBe('There is no notification.\n');
  await fail();
  await deliver();
  expect((await cli('notification list')).stdout).toMatch(
    /failed +Failover of machine-0001 failed +hook sent\n/,
  );
  expect(JSON.parse((await cli('notification list --output json')).stdout)).toMatchObject([
    { event: 'failed' },
  ]);
  expect(await cli('notification test')).toMatchObject({
    exit: 0,
    stdout: expect.stringMatching(/hook +yes +204/),
  });
  hook.next.push(() => Promise.reject(away));
  const refused = await cli('notification test');
  expect(refused).toMatchObject({
    exit: 6,
    stdout: expect.stringMatching(/hook +no +Receiver "hook" has not/),
  });
  expect(mail.sent.map(({ event }) => event)).toEqual(['test', 'test']);
  expect(await list()).toHaveLength(1);
});

describe('watches', () => {
  let minutes = 0;
  let revision = 0;
  beforeAll(async () => {
    await server.client.call(contract.applyPlan, { params: { name: 'shop' }, body: { text: SHOP } });
  });

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
    await drills();
    server.runbooks.schedules.set('shop', { ...shown, missed: 1 });
    await drills();
    await drills();
    expect(await told()).toHaveLength(3);
  });

  test('a catalogue that was lost tells no drills again that were missed long ago', async () => {
    const schedule = { cron: '0 3 * * 6', timeZone: 'UTC', jitterSeconds: 0, blackouts: [] };
    const shown = await server.runbooks.putSchedule('old', schedule);
    const drills = (missed: number) => {
      server.runbooks.schedules.set('old', { ...shown, missed });
      return watchDrills(deps(), nextMinute());
    };
    await drills(7);
    expect(await told()).toEqual([]);
    await drills(8);
    expect(await told()).toMatchObject([{ subject: 'A drill of plan old was missed' }]);
    server.runbooks.schedules.delete('old');
  });

  test('a watch remembers more than one statement can hold', async () => {
    const all = Array.from({ length: 22_000 }, (_, n) => `item/${n}`);
    const { watches } = server.catalogue;
    const keep = (state: object | null) =>
      watches.keep('readiness', {
        told: new Map(all.map((subject) => [subject, state])),
        notices: [],
        at: new Date(),
      });
    const before = (await watches.told('readiness')).size;
    await keep({ ready: true, otherwise: 0 });
    expect((await watches.told('readiness')).size).toBe(before + all.length);
    await keep(null);
    expect((await watches.told('readiness')).size).toBe(before);
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
});
