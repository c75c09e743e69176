import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Client, Connection } from '@temporalio/client';
import { freePorts } from '../../lab/processes/ports.ts';
import { startTemporal, type TemporalRunning } from '../../lab/processes/temporal.ts';
import { temporalBinary } from '../../lab/tools/temporal.ts';
import { waitFor } from '../../lab/wait.ts';
import type { Runbooks } from '../../server/runbooks.ts';
import { taskQueues } from '../../workflows/contracts/task-queues.ts';
import { createTemporalRunbooks } from '../../server/temporal-runbooks.ts';

/** COMMAND_TYPE_FAIL_WORKFLOW_EXECUTION */
const FAIL_WORKFLOW = 5;

/** A real server and nobody who works: a drill that has begun goes on for ever. */
let folder: string;
let temporal: TemporalRunning;
let connection: Connection;
let client: Client;
let runbooks: Runbooks;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'switchback-schedules-'));
  const [port = 0] = await freePorts(1);
  temporal = await startTemporal({
    binary: await temporalBinary(),
    databaseFile: join(folder, 'temporal.db'),
    logFile: join(folder, 'temporal.log'),
    port,
  });
  connection = await Connection.connect({ address: temporal.address });
  client = new Client({ connection });
  runbooks = createTemporalRunbooks({ client, address: temporal.address });
}, 120_000);
afterAll(async () => {
  await connection?.close();
  await temporal?.stop();
  await rm(folder, { recursive: true, force: true });
});

const saturdays = { cron: '0 3 * * 6', timeZone: 'Europe/Berlin', jitterSeconds: 600, blackouts: [] };
const everySecond = { cron: '* * * * * * *', timeZone: 'UTC', jitterSeconds: 0 };

/** What a worker says of a workflow that has failed. */
async function failDrill(workflowId: string, message: string): Promise<void> {
  const { workflowService } = connection;
  const taskQueue = { name: taskQueues.control };
  for (let polls = 0; polls < 20; polls += 1) {
    const task = await connection.withDeadline(Date.now() + 10_000, () =>
      workflowService.pollWorkflowTaskQueue({ namespace: 'default', taskQueue }),
    );
    if (task.workflowExecution?.workflowId?.startsWith(workflowId) !== true) continue;
    const failWorkflowExecutionCommandAttributes = { failure: { message, applicationFailureInfo: {} } };
    const answer = {
      namespace: 'default',
      taskToken: task.taskToken,
      commands: [{ commandType: FAIL_WORKFLOW, failWorkflowExecutionCommandAttributes }],
    };
    await workflowService.respondWorkflowTaskCompleted(answer);
    return;
  }
  throw new Error(`nobody began ${workflowId}`);
}

const running = async () => {
  const found = [];
  for await (const { workflowId } of client.workflow.list({ query: "ExecutionStatus = 'Running'" })) {
    found.push(workflowId);
  }
  return found.filter((id) => id.startsWith('scheduled-drill/'));
};

test('a schedule says when its drills begin next, in its own time zone', async () => {
  const { next, ...shown } = await runbooks.putSchedule('shop', saturdays);
  expect(shown).toEqual({
    ...saturdays,
    paused: false,
    pausedByFailure: false,
    note: '',
    missed: 0,
    skipped: 0,
  });
  const isListed = async () => (await runbooks.scheduledPlans()).includes('shop');
  await waitFor(isListed, { what: 'the schedule to be listed', withinMs: 30_000 });
  expect(next).toHaveLength(5);
  for (const time of next) {
    const inBerlin = new Date(time).toLocaleString('en-GB', {
      timeZone: 'Europe/Berlin',
      weekday: 'short',
      hour: '2-digit',
    });
    expect(inBerlin).toMatch(/^Sat,? 03$/);
  }
});

test('changed, it keeps what it is not told, and being paused', async () => {
  await runbooks.putSchedule('mail', saturdays);
  expect(await runbooks.controlSchedule('mail', 'pause', 'moving house')).toMatchObject({
    paused: true,
    note: 'moving house',
  });
  const blackouts = [{ from: '2026-12-20T00:00:00.000Z', to: '2027-01-05T00:00:00.000Z' }];
  expect(await runbooks.putSchedule('mail', { ...saturdays, cron: '30 4 1 * *', blackouts })).toMatchObject({
    cron: '30 4 1 * *',
    blackouts,
    paused: true,
  });
  expect(await runbooks.controlSchedule('mail', 'resume', 'moved')).toMatchObject({ paused: false });
});

test('a drill begun by hand keeps to one at a time', async () => {
  await runbooks.putSchedule('estate', saturdays);
  await runbooks.controlSchedule('estate', 'trigger', '');
  const isOne = async () => (await running()).length === 1;
  await waitFor(isOne, { what: 'the drill to begin', withinMs: 30_000 });
  await runbooks.controlSchedule('estate', 'trigger', '');
  await waitFor(async () => (await runbooks.describeSchedule('estate')).skipped === 1, {
    what: 'the second drill to be skipped',
    withinMs: 30_000,
  });
  expect(await isOne()).toBe(true);
});

test('drills begin by themselves, and one that is due while another runs is counted as skipped', async () => {
  await runbooks.putSchedule('often', { ...saturdays, ...everySecond });
  const isRunning = async () => (await running()).some((id) => id.startsWith('scheduled-drill/often'));
  await waitFor(isRunning, { what: 'the drill to begin by itself', withinMs: 30_000 });
  await waitFor(async () => (await runbooks.describeSchedule('often')).skipped > 0, {
    what: 'the next drill to be skipped',
    withinMs: 30_000,
  });
  expect((await running()).filter((id) => id.startsWith('scheduled-drill/often'))).toHaveLength(1);
  await runbooks.removeSchedule('often');
});

test('a drill that fails pauses its schedule, which says so and why, until it is resumed', async () => {
  await runbooks.putSchedule('failing', saturdays);
  await runbooks.controlSchedule('failing', 'trigger', '');
  await failDrill('scheduled-drill/failing', 'web-01 did not answer');
  await waitFor(async () => (await runbooks.describeSchedule('failing')).pausedByFailure, {
    what: 'the schedule to be paused',
    withinMs: 30_000,
  });
  const { note } = await runbooks.describeSchedule('failing');
  expect(note).toContain('web-01 did not answer');
  expect(await runbooks.controlSchedule('failing', 'resume', 'looked at')).toMatchObject({
    paused: false,
    pausedByFailure: false,
  });
  const byHand = await runbooks.controlSchedule('failing', 'pause', 'moving house');
  expect(byHand).toMatchObject({ paused: true, pausedByFailure: false });
});

test('an expression that is none is refused by name, and nothing is made', async () => {
  await expect(runbooks.putSchedule('odd', { ...saturdays, cron: 'every saturday' })).rejects.toMatchObject({
    code: 'DR_REQUEST_INVALID',
    message: expect.stringContaining('"every saturday"'),
  });
  await expect(runbooks.describeSchedule('odd')).rejects.toMatchObject({ code: 'DR_SCHEDULE_UNKNOWN' });
});

test('removed, it is unknown', async () => {
  await runbooks.putSchedule('gone', saturdays);
  await runbooks.removeSchedule('gone');
  await expect(runbooks.controlSchedule('gone', 'trigger', '')).rejects.toMatchObject({
    code: 'DR_SCHEDULE_UNKNOWN',
  });
});
