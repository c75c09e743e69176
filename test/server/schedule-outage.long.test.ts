import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Client, Connection } from '@temporalio/client';
import { freePorts } from '../../lab/processes/ports.ts';
import { startTemporal, type TemporalOptions, type TemporalRunning } from '../../lab/processes/temporal.ts';
import { temporalBinary } from '../../lab/tools/temporal.ts';
import { waitFor } from '../../lab/wait.ts';
import { createTemporalRunbooks } from '../../server/temporal-runbooks.ts';
import { workflowIds } from '../../workflows/contracts/ids.ts';

/** The shortest that the server allows. */
const SHORT_WINDOW_MS = 10_000;
/** From now to the drill; the server is stopped before. */
const DUE_IN_MS = 3_000;

let folder: string;
let options: TemporalOptions;
let temporal: TemporalRunning;
let connection: Connection;
let client: Client;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'switchback-outage-'));
  const [port = 0] = await freePorts(1);
  options = {
    binary: await temporalBinary(),
    databaseFile: join(folder, 'temporal.db'),
    logFile: join(folder, 'temporal.log'),
    port,
  };
  temporal = await startTemporal(options);
  connection = await Connection.connect({ address: temporal.address });
  client = new Client({ connection });
}, 120_000);
afterAll(async () => {
  await connection?.close();
  await temporal?.stop();
  await rm(folder, { recursive: true, force: true });
});

/** With seconds and a year: due once. */
function onceAt(time: Date): string {
  const [second, minute, hour] = [time.getUTCSeconds(), time.getUTCMinutes(), time.getUTCHours()];
  return [second, minute, hour, time.getUTCDate(), time.getUTCMonth() + 1, '*', time.getUTCFullYear()].join(
    ' ',
  );
}

const drillsOf = async (plan: string) => {
  const found: string[] = [];
  for await (const { workflowId } of client.workflow.list()) {
    if (workflowId.startsWith(workflowIds.scheduledDrill(plan))) found.push(workflowId);
  }
  return found;
};

test('a drill that was due while nobody was there is made up within the hour; older than that, it is counted as missed', async () => {
  const runbooks = createTemporalRunbooks({ client, address: temporal.address });
  const due = new Date(Math.ceil((Date.now() + DUE_IN_MS) / 1_000) * 1_000);
  const schedule = { cron: onceAt(due), timeZone: 'UTC', jitterSeconds: 0, blackouts: [] };
  for (const plan of ['shop', 'mail']) await runbooks.putSchedule(plan, schedule);
  const { policies } = await client.schedule.getHandle(workflowIds.drillSchedule('shop')).describe();
  expect(policies.catchupWindow).toBe(3_600_000);
  // For "mail" the hour is over sooner; everything else is as the product makes it.
  await client.schedule.getHandle(workflowIds.drillSchedule('mail')).update((made) => ({
    ...made,
    policies: { ...made.policies, catchupWindow: SHORT_WINDOW_MS },
  }));
  await temporal.stop();
  expect(Date.now()).toBeLessThan(due.getTime());
  await waitFor(() => Date.now() > due.getTime() + SHORT_WINDOW_MS + 2_000, {
    what: 'the short window to be over',
    withinMs: 30_000,
  });
  temporal = await startTemporal(options);
  const seen = async (plan: string) => {
    const { missed } = await runbooks.describeSchedule(plan);
    return { missed, begun: (await drillsOf(plan)).length };
  };
  const isSettled = async () => (await seen('shop')).begun === 1 && (await seen('mail')).missed === 1;
  await waitFor(isSettled, { what: 'both schedules to look at what was due', withinMs: 60_000 });
  expect(await seen('shop')).toEqual({ missed: 0, begun: 1 });
  expect(await seen('mail')).toEqual({ missed: 1, begun: 0 });
}, 180_000);
