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
import { createTemporalRunbooks } from '../../server/temporal-runbooks.ts';

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
const running = async () => {
  const found = [];
  for await (const { workflowId } of client.workflow.list({ query: "ExecutionStatus = 'Running'" })) {
    found.push(workflowId);
  }
  return found.filter((id) => id.startsWith('scheduled-drill/'));
};

test('a schedule says when its drills begin next, in its own time zone', async () => {
  const { next, ...shown } = await runbooks.putSchedule('shop', saturdays);
  expect(shown).toEqual({ ...saturdays, paused: false, note: '', missed: 0, skipped: 0 });
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
