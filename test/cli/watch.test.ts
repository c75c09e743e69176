import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { DrError } from '../../domain/errors.ts';
import { asId, type ProtectedItemId } from '../../domain/ids.ts';
import { GiB, MiB } from '../../domain/units.ts';
import { machineUuid, sampleItem, sampleJob, samplePolicy } from '../support/samples.ts';
import { startServer, type RunningServer } from '../support/server.ts';
import { operatorOf, runCli } from './run.ts';

let server: RunningServer;
let env: Record<string, string>;

beforeAll(async () => {
  server = await startServer();
  env = operatorOf(server);
  await server.catalogue.createPolicy(samplePolicy);
  await server.catalogue.recordItem(sampleItem(3, { machineName: 'app' }));
  server.runbooks.views.set(machineUuid(3), sampleItem(3, { machineName: 'app' }));
});
afterAll(() => server.close());
beforeEach(() => {
  server.runbooks.calls.length = 0;
  server.runbooks.failures.clear();
  server.runbooks.activities = [];
  server.runbooks.onAccepted = async () => undefined;
});

const cli = (line: string, options: Parameters<typeof runCli>[1] = {}) =>
  runCli(line.split(' '), { ...options, env: { ...env, ...options.env } });

describe('job watch', () => {
  const itemId = asId<ProtectedItemId>(machineUuid(3));
  const base = { itemId, subject: 'app' };
  const task = (id: string, state: 'inProgress' | 'succeeded' | 'failed', detail?: string) => ({
    id,
    name: `Task ${id}`,
    state,
    startedAt: '2026-11-21T10:00:00.000Z',
    ...(state === 'inProgress' ? {} : { endedAt: '2026-11-21T10:00:02.000Z' }),
    ...(detail === undefined ? {} : { detail }),
  });

  test('plain output has a line for every change of a task and every tenth of a copy, and exit 0', async () => {
    const id = 'watched';
    await server.catalogue.recordJob(sampleJob(id, { ...base, tasks: [task('a', 'inProgress')] }));
    server.runbooks.activities = [
      {
        activity: 'initialReplication',
        attempt: 1,
        progress: {
          phase: 'initial',
          barrierNumber: 1,
          startedAt: '2026-11-21T10:00:00.000Z',
          at: '2026-11-21T10:00:10.000Z',
          totalBytes: 4 * GiB,
          doneBytes: GiB,
          readBytes: GiB,
          wireBytes: 300 * MiB,
        },
      },
    ];
    let next = 0;
    const steps = [
      () => [task('a', 'succeeded', 'all fine'), task('b', 'inProgress')],
      () => [task('a', 'succeeded', 'all fine'), task('b', 'succeeded')],
    ];
    const ran = await cli(`job watch ${id}`, {
      onOutput: (stdout) => {
        const step = steps[next];
        if (step === undefined || !stdout.includes(next === 0 ? '25 %' : '◐ Task b')) return;
        next += 1;
        const state = next === 2 ? ('succeeded' as const) : ('inProgress' as const);
        void server.catalogue.recordJob(sampleJob(id, { ...base, revision: 1 + next, state, tasks: step() }));
      },
    });
    expect(ran).toMatchObject({ exit: 0, stderr: '' });
    expect(ran.stdout.split('\n')).toEqual([
      '◐ Task a (0 s)',
      '  initial replication · 25 % of 4 GiB · 102 MiB/s · 300 MiB sent · 30 s left',
      '✓ Task a (2 s): all fine',
      '◐ Task b (0 s)',
      '✓ Task b (2 s)',
      'protect of app succeeded',
      '',
    ]);
  });

  test('a failed job ends with the class of its error, message and remedy', async () => {
    const error = new DrError('DR_AZURE_QUOTA', {
      quota: 'cores',
      location: 'westeurope',
      limit: 4,
      used: 4,
      needed: 2,
    });
    const { code, message, remedy } = error;
    await server.catalogue.recordJob(
      sampleJob('broken', {
        ...base,
        kind: 'failover',
        state: 'failed',
        tasks: [task('a', 'failed')],
        error: { code, message, remedy },
      }),
    );
    const ran = await cli('job watch broken');
    expect(ran.exit).toBe(8);
    expect(ran.stdout).toContain(`${message} (DR_AZURE_QUOTA)`);
    expect(ran.stdout).toContain('What to do: ');
  });

  test('with --output json every line is an event and the last is the job as it ended', async () => {
    await server.catalogue.recordJob(sampleJob('told', { ...base, kind: 'commit' }));
    const ran = await cli('job watch told --output json', {
      onOutput: () =>
        void server.catalogue.recordJob(
          sampleJob('told', { ...base, kind: 'commit', state: 'succeeded', revision: 9 }),
        ),
    });
    const events = ran.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { event: string; job: { state: string } });
    expect(events.at(-1)).toMatchObject({ event: 'job', job: { state: 'succeeded' } });
    expect(ran.exit).toBe(0);
  });

  const recordInOrder = async (...jobs: Parameters<typeof server.catalogue.recordJob>[0][]) => {
    for (const job of jobs) await server.catalogue.recordJob(job);
  };
  const choices = [
    { decision: 'retry', means: 'The step runs again.' },
    { decision: 'rollBack', means: 'The Azure machine is removed.' },
  ] as const;

  test('what a job waits for is told once, with what to type, and watching goes on', async () => {
    const id = 'stuck';
    const waiting = { ...base, kind: 'failover', state: 'waitingForInput', choices } as const;
    const error = { code: 'DR_AZURE_BUSY', message: 'Azure is busy', remedy: 'Nothing to do' } as const;
    const tasks = [{ ...task('a', 'failed'), error }];
    await server.catalogue.recordJob(sampleJob(id, { ...waiting, tasks }));
    let told = false;
    const ran = await cli(`job watch ${id}`, {
      onOutput: (stdout) => {
        if (told || !stdout.includes('job retry stuck')) return;
        told = true;
        const more = sampleJob(id, { ...waiting, revision: 2, tasks: [task('b', 'inProgress')] });
        const done = sampleJob(id, { ...base, kind: 'failover', revision: 3, state: 'cancelled', tasks: [] });
        void recordInOrder(more, done);
      },
    });
    expect(ran).toMatchObject({ exit: 10, stderr: '' });
    expect(ran.stdout.match(/It waits for a decision:/g)).toHaveLength(1);
    expect(ran.stdout).toContain('✗ Task a (2 s)\n  Azure is busy (DR_AZURE_BUSY)\n');
    expect(ran.stdout).toContain(
      [
        '  retry: The step runs again.',
        '    $ switchback job retry stuck',
        '  roll-back: The Azure machine is removed.',
        '    $ switchback job cancel stuck --mode roll-back',
      ].join('\n'),
    );
    expect(ran.stdout).toContain('failover of app cancelled');
  });

  test('--until-input ends with a code of its own', async () => {
    const waiting = { ...base, kind: 'failover', state: 'waitingForInput', choices } as const;
    await server.catalogue.recordJob(sampleJob('asks', waiting));
    const ran = await cli('job watch asks --until-input');
    expect(ran).toMatchObject({ exit: 9, stderr: '' });
    expect(ran.stdout).toContain('switchback job cancel asks --mode roll-back');
  });

  test('children of a task are drawn below it', async () => {
    const tasks = [{ ...task('a', 'succeeded'), children: [task('a1', 'succeeded', 'disk 0')] }];
    await server.catalogue.recordJob(
      sampleJob('tree', { ...base, kind: 'failover', state: 'succeeded', tasks }),
    );
    expect((await cli('job show tree')).stdout).toMatch(/\n {2}✓ Task a .*\n {4}✓ Task a1 .*: disk 0/);
    expect((await cli('job watch tree')).stdout).toContain('Task a1 (2 s): disk 0');
  });

  test('Ctrl-C detaches with 130 and cancels nothing', async () => {
    await server.catalogue.recordJob(sampleJob('long', { ...base, kind: 'failover' }));
    const interrupt = new AbortController();
    const ran = await cli('job watch long', {
      interrupt: interrupt.signal,
      onOutput: () => interrupt.abort(),
    });
    expect(ran.exit).toBe(130);
    expect(ran.stderr).toContain('The job goes on');
    expect((await server.catalogue.job('long'))?.state).toBe('inProgress');
    expect(server.runbooks.times('decide')).toBe(0);
  });

  test('--wait watches the job of the operation it has just started', async () => {
    server.runbooks.onAccepted = (operationId) =>
      server.catalogue.recordJob(
        sampleJob(operationId, { ...base, kind: 'commit', state: 'succeeded', revision: 5 }),
      );
    const ran = await cli('item commit app --yes --wait');
    expect(ran.exit).toBe(0);
    expect(ran.stdout).toContain('commit of app succeeded');
  });
});
