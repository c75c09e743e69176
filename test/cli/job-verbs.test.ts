import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { DrError } from '../../domain/errors.ts';
import type { Job } from '../../domain/job.ts';
import { machineUuid, sampleItem, sampleJob } from '../support/samples.ts';
import { startServer, type RunningServer } from '../support/server.ts';
import { operatorOf, runCli } from './run.ts';

let server: RunningServer;
let env: Record<string, string>;

beforeAll(async () => {
  server = await startServer();
  env = operatorOf(server);
  await server.catalogue.recordItem(sampleItem(1));
  await server.catalogue.recordJob(sampleJob('run', { kind: 'failover', choices }));
  await server.catalogue.recordJob(sampleJob('first-copy'));
  await server.catalogue.recordJob(sampleJob('past', { kind: 'commit', state: 'succeeded' }));
  await server.catalogue.recordJob(sampleJob('undoing', { kind: 'failover', choices: [] }));
});
afterAll(() => server.close());
beforeEach(() => {
  server.runbooks.calls.length = 0;
  server.runbooks.failures.clear();
  server.runbooks.jobs.clear();
});

const choices: NonNullable<Job['choices']> = [
  { decision: 'finish', means: 'The machine runs in Azure at the end.' },
  { decision: 'rollBack', means: 'The Azure disks are removed.' },
  { decision: 'hold', means: 'Stops and waits; replication stands still.' },
];

const cli = (line: readonly string[], options: Parameters<typeof runCli>[1] = {}) =>
  runCli(line, { ...options, env: { ...env, ...options.env } });

const decisions = () => server.runbooks.calls.filter(({ name }) => name === 'decide').map(({ args }) => args);

describe('deciding', () => {
  test.each([
    [['cancel', 'run', '--mode', 'finish'], 'finish', ''],
    [['cancel', 'run', '--mode', 'roll-back', '--reason', 'wrong point'], 'rollBack', 'wrong point'],
    [['cancel', 'run', '--mode', 'hold'], 'hold', ''],
    [['resume', 'run'], 'finish', ''],
    [['retry', 'run', '--reason', 'quota raised'], 'retry', 'quota raised'],
    [['skip', 'run', '--reason', 'done by hand'], 'skip', 'done by hand'],
    [['abandon', 'run'], 'abandon', ''],
  ])('job %j reaches the run as %s', async (line, decision, reason) => {
    const ran = await cli(['job', ...line]);
    expect(ran).toMatchObject({ exit: 0, stderr: '' });
    expect(ran.stdout).toContain('switchback job watch run');
    const requestedBy = { principal: 'administrator', requestId: expect.any(String) };
    expect(decisions()).toEqual([[machineUuid(1), 'run', { decision, reason, requestedBy }]]);
  });

  test('skipping wants a reason', async () => {
    expect((await cli(['job', 'skip', 'run'])).exit).toBe(2);
    const blank = await cli(['job', 'skip', 'run', '--reason', ' ']);
    expect(blank.exit).toBe(2);
    expect(blank.stderr).toContain('body.reason: must say why');
    expect(decisions()).toEqual([]);
  });

  test('a refusal of the run keeps its reason', async () => {
    const context = { decision: 'retry', job: 'run', reason: 'nothing has failed' };
    server.runbooks.failures.set('decide', [new DrError('DR_DECISION_REFUSED', context)]);
    const ran = await cli(['job', 'retry', 'run']);
    expect(ran.exit).toBe(4);
    expect(ran.stderr).toContain('nothing has failed');
  });
});

describe('cancelling without a mode', () => {
  test('says what each way means at this step, and takes the one that is typed', async () => {
    const fresh = choices.slice(0, 2).map((choice) => ({ ...choice, means: `fresh: ${choice.means}` }));
    server.runbooks.jobs.set('run', sampleJob('run', { kind: 'failover', revision: 9, choices: fresh }));
    const ran = await cli(['job', 'cancel', 'run'], { typed: 'roll-back' });
    expect(ran.exit).toBe(0);
    expect(ran.stderr).toContain('roll-back: fresh: The Azure disks are removed.');
    expect(ran.stderr).toContain('Type finish, roll-back: ');
    expect(decisions()).toMatchObject([[machineUuid(1), 'run', { decision: 'rollBack' }]]);
  });

  test('anything else typed decides nothing', async () => {
    const ran = await cli(['job', 'cancel', 'run'], { typed: 'yes' });
    expect(ran.exit).toBe(2);
    expect(decisions()).toEqual([]);
  });

  test('where nobody can be asked every way is listed with its meaning', async () => {
    const ran = await cli(['job', 'cancel', 'run', '--output', 'json']);
    expect(ran.exit).toBe(2);
    const { message } = JSON.parse(ran.stderr) as { message: string };
    expect(message).toContain('pass --mode');
    for (const { means } of choices) expect(message).toContain(means);
  });

  test.each([
    ['past', 'DR_JOB_OVER', 'it has succeeded'],
    ['first-copy', 'DR_DECISION_REFUSED', 'switchback item disable'],
    ['undoing', 'DR_DECISION_REFUSED', 'offers no way'],
  ])('job %s answers %s', async (job, code, said) => {
    const ran = await cli(['job', 'cancel', job], { typed: 'hold' });
    expect(ran.exit).toBe(4);
    expect(ran.stderr).toContain(code);
    expect(ran.stderr).toContain(said);
  });
});

test('job show lists what can be decided now, and what to type', async () => {
  const { stdout } = await cli(['job', 'show', 'run']);
  expect(stdout).toContain('It can be decided now:');
  expect(stdout).toContain('  hold: Stops and waits; replication stands still.');
  expect(stdout).toContain('    $ switchback job cancel run --mode hold');
});
