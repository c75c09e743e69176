import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { pino } from 'pino';
import { contract } from '../../api/contract.ts';
import { DrError } from '../../domain/errors.ts';
import { pauseSeconds, notificationEvents, type Notification } from '../../domain/notification.ts';
import type { NotificationReceiver } from '../../domain/ports.ts';
import { Notifier } from '../../server/notifications/notifier.ts';
import { operatorOf, runCli } from '../cli/run.ts';
import { sampleJob } from '../support/samples.ts';
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
let server: RunningServer;
let clock: Date;
beforeAll(async () => {
  server = await startServer({ receivers: [hook, mail] });
});
afterAll(() => server.close());
beforeEach(async () => {
  clock = new Date();
  await server.catalogue.outbox.forget(new Date(clock.getTime() + 1_000));
  hook.sent.length = mail.sent.length = 0;
});

const notifier = (receivers: readonly NotificationReceiver[] = [hook, mail]) =>
  new Notifier({
    outbox: server.catalogue.outbox,
    receivers,
    log: pino({ level: 'silent' }),
    now: () => clock,
  });
const deliver = (by = notifier()) => by.deliver(new AbortController().signal);
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
  await expect(notifier().deliver(dying.signal)).rejects.toThrow('killed');
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
