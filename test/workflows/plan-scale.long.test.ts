import { afterAll, expect, test } from '@jest/globals';
import { workflowIds } from '../../workflows/contracts/ids.ts';
import { group, members, plan, PlanStage, step } from './support/plan-stage.ts';

const GROUPS = 50;
const MACHINES = 1_000;
/** Replayed within a second. */
const EVENTS_MAX = 4_000;
const JOB_BYTES_MAX = 2 ** 21;
/** What the records add to the history; Temporal ends a run at 50 MiB. */
const RECORDED_BYTES_MAX = 8 * 2 ** 20;

const stage = new PlanStage();
afterAll(() => stage.driver.dispose());

test('a plan of 1,000 machines in 50 groups is one run with a history and a job of bounded size', async () => {
  const groups = Array.from({ length: GROUPS }, (_, index) =>
    group(`g${index}`, {
      after: index === 0 ? [] : [`g${index - 1}`],
      steps: { before: [], after: [step(`check-${index}`)] },
    }),
  );
  const who = members(...Array.from({ length: MACHINES }, (_, index) => `m${index}@g${index % GROUPS}`));
  // Of every group one machine takes its time: its end is told by itself.
  const slow = new Set(
    Array.from({ length: GROUPS }, (_, index) => `m${index + GROUPS * (index % (MACHINES / GROUPS))}`),
  );
  stage.fate = (what) => ({ kind: slow.has(what.split(' ').at(-1) ?? '') ? 'hold' : 'run' });
  const startedAt = performance.now();
  await stage.run('failover', plan(groups), who);
  while (stage.held.length > 0) await stage.release();
  const seconds = (performance.now() - startedAt) / 1_000;
  const job = await stage.job();
  expect(job.state).toBe('succeeded');
  expect(stage.operations).toHaveLength(MACHINES);
  const events = stage.driver.eventsOf(workflowIds.planRun('shop'));
  const recorded = stage.jobs.reduce((sum, each) => sum + Buffer.byteLength(JSON.stringify(each)), 0);
  const bytes = Buffer.byteLength(JSON.stringify(job));
  process.stderr.write(
    `plan of ${MACHINES} machines: ${events} events, ${stage.driver.tasks} workflow tasks, job ${bytes} bytes, ${stage.jobs.length} records of it in ${recorded} bytes, ${seconds.toFixed(1)} s in the sandbox\n`,
  );
  expect(events).toBeLessThan(EVENTS_MAX);
  expect(bytes).toBeLessThan(JOB_BYTES_MAX);
  expect(recorded).toBeLessThan(RECORDED_BYTES_MAX);
}, 300_000);
