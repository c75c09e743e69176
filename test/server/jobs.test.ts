import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { contract } from '../../api/contract.ts';
import { DrError } from '../../domain/errors.ts';
import { asId, type ProtectedItemId } from '../../domain/ids.ts';
import { machineUuid, sampleItem, sampleJob } from '../support/samples.ts';
import { startServer, type RunningServer } from '../support/server.ts';

let server: RunningServer;
beforeAll(async () => {
  server = await startServer();
  await server.catalogue.recordItem(sampleItem(1));
  await server.catalogue.recordJob(sampleJob('run', { kind: 'failover', revision: 3 }));
  await server.catalogue.recordJob(sampleJob('copy', { revision: 3 }));
});
afterAll(() => server.close());
beforeEach(() => {
  server.runbooks.calls.length = 0;
  server.runbooks.failures.clear();
  server.runbooks.jobs.clear();
});

const job = (id: string) => server.client.call(contract.getJob, { params: { id } });
const decide = (id: string, body: object = { decision: 'hold' }) =>
  server.client.call(contract.decideJob, { params: { id }, body: body as never });
const choices = [{ decision: 'rollBack', means: 'The disks are removed.' }] as const;

test('a running job is told as its run knows it, with its choices and the tasks inside tasks', async () => {
  const tasks = [
    { id: 'a', name: 'A', state: 'inProgress', children: [{ id: 'b', name: 'B', state: 'skipped' }] },
  ] as const;
  const fresh = sampleJob('run', { kind: 'failover', revision: 4, state: 'waitingForInput', choices, tasks });
  server.runbooks.jobs.set('run', fresh);
  expect(await job('run')).toEqual(fresh);
});

test('what the catalogue heard last is told when it is newer, or when the run cannot be asked', async () => {
  server.runbooks.jobs.set('run', sampleJob('run', { kind: 'failover', revision: 2, state: 'notStarted' }));
  expect(await job('run')).toMatchObject({ revision: 3 });
  const away = new DrError('DR_TEMPORAL_UNREACHABLE', { address: 'a', reason: 'r' });
  const broken = new DrError('DR_INTERNAL', { reason: 'Nondeterminism error' });
  server.runbooks.failures.set('describeJob', [away, broken]);
  expect(await job('run')).toMatchObject({ revision: 3 });
  expect(await job('run')).toMatchObject({ revision: 3 });
  expect(server.runbooks.times('describeJob')).toBe(3);
});

test('enabling protection is no run, and a job that is over changes no more: neither is asked about', async () => {
  await server.catalogue.recordJob(sampleJob('done', { kind: 'commit', state: 'succeeded' }));
  await job('copy');
  await job('done');
  expect(server.runbooks.times('describeJob')).toBe(0);
});

test('a decision reaches the run of that item, with who made it and why', async () => {
  const body = { decision: 'skip', reason: 'done by hand' };
  expect(await decide('run', body)).toEqual({ operationId: 'run' });
  const requestedBy = { principal: 'administrator', requestId: expect.any(String) };
  expect(server.runbooks.calls).toEqual([
    { name: 'decide', args: [machineUuid(1), 'run', { ...body, requestedBy }] },
  ]);
});

test.each([
  [{ decision: 'skip' }, 'body.reason'],
  [{ decision: 'skip', reason: '  ' }, 'body.reason'],
  [{ decision: 'stop' }, 'body.decision'],
  [{ decision: 'hold', mode: 'x' }, 'mode'],
])('%j is refused by field', async (body, field) => {
  await expect(decide('run', body)).rejects.toMatchObject({
    code: 'DR_REQUEST_INVALID',
    message: expect.stringContaining(field),
  });
  expect(server.runbooks.calls).toEqual([]);
});

test('a job that is over, unknown, or no run of its own takes no decision', async () => {
  await server.catalogue.recordJob(sampleJob('ended', { kind: 'failover', state: 'cancelled' }));
  await expect(decide('ended')).rejects.toMatchObject({
    code: 'DR_JOB_OVER',
    message: expect.stringContaining('it was cancelled'),
  });
  await expect(decide('nothing')).rejects.toMatchObject({ code: 'DR_JOB_UNKNOWN', exit: 3 });
  await expect(decide('copy')).rejects.toMatchObject({
    code: 'DR_DECISION_REFUSED',
    message: expect.stringContaining('switchback item disable'),
  });
  expect(server.runbooks.calls).toEqual([]);
});

test('a run that ended just now is told with how it ended, as soon as that is known', async () => {
  const id = 'late';
  await server.catalogue.recordJob(sampleJob(id, { kind: 'failover' }));
  const over = () => new DrError('DR_JOB_OVER', { job: id, state: 'has ended' });
  server.runbooks.failures.set('decide', [over()]);
  await expect(decide(id)).rejects.toMatchObject({ message: expect.stringContaining('it has ended') });

  server.runbooks.failures.set('decide', [over()]);
  server.runbooks.onDecided = () =>
    server.catalogue.recordJob(sampleJob(id, { kind: 'failover', revision: 5, state: 'failed' }));
  await expect(decide(id)).rejects.toMatchObject({ message: expect.stringContaining('it has failed') });
});

test('jobs of every kind are listed', async () => {
  const itemId = asId<ProtectedItemId>(machineUuid(2));
  await server.catalogue.recordItem(sampleItem(2));
  const kinds = ['reprotect', 'failback', 'reEnable', 'purge'] as const;
  for (const kind of kinds) await server.catalogue.recordJob(sampleJob(`k-${kind}`, { kind, itemId }));
  const { items } = await server.client.call(contract.listJobs, { query: { item: machineUuid(2) } });
  expect(items.map(({ kind }) => kind).toSorted()).toEqual([...kinds].toSorted());
});
