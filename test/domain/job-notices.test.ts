import { expect, test } from '@jest/globals';
import { noticesOfJob, planRunOf } from '../../domain/job-notices.ts';
import { MISSED_DRILL_TASK, type Job, type JobChoice, type JobTask } from '../../domain/job.ts';
import { sampleJob } from '../support/samples.ts';

const at = '2026-11-21T10:00:00.000Z';
const error = { code: 'DR_STEP_FAILED', message: 'the page says 500', remedy: 'Look at it.' } as const;
const tell = (job: Job, before?: Job, isPartOfPlanRun = false) =>
  noticesOfJob({ job, at, isPartOfPlanRun, ...(before === undefined ? {} : { before }) });

const { itemId: _, ...jobOfNobody } = sampleJob('run-7');
const planRun = (over: Partial<Job>): Job => ({
  ...jobOfNobody,
  kind: 'failoverPlan',
  subject: 'shop',
  ...over,
});
const step = (id: string, over: Partial<JobTask> = {}): JobTask => ({
  id,
  name: `Step ${id}`,
  state: 'waitingForInput',
  ...over,
});
const approval = (taskId: string) =>
  [
    { decision: 'approve', means: 'The run goes on.', taskId },
    { decision: 'reject', means: 'The step fails.', taskId },
  ] as const;
const ofRun = [{ decision: 'keep', means: 'The run ends there.' }] as const;

test('every task that waits is asked about once, with the commands to copy', () => {
  const first = planRun({
    state: 'waitingForInput',
    revision: 2,
    tasks: [step('may it'), step('page', { error })],
    choices: [...approval('may it'), ...ofRun],
  });
  const [asked, ...more] = tell(first);
  expect(more).toEqual([]);
  expect(asked).toMatchObject({
    event: 'waitingForInput',
    subject: 'Failover of plan shop waits for a decision: Step may it',
    about: { job: 'run-7', task: 'may it', plans: ['shop'] },
  });
  expect(asked?.text).toContain("  switchback job approve run-7 --task 'may it'\n      The run goes on.\n");
  expect(asked?.text).toContain('Since: 2026-11-21 10:00:00 UTC');
  expect(asked?.text).not.toContain('job keep');

  const retry = { decision: 'retry', means: 'It is tried again.', taskId: 'page' } as const;
  const both = { ...first, revision: 3, choices: [...approval('may it'), retry, ...ofRun] };
  const [second, ...rest] = tell(both, first);
  expect(rest).toEqual([]);
  expect(second?.text).toContain('Why: the page says 500 (DR_STEP_FAILED)\nRemedy: Look at it.');
  expect(tell({ ...both, revision: 4 }, both)).toEqual([]);
});

test('an answer tells nothing, and neither does that a question is the only one again', () => {
  const [first, second] = [approval('may it'), approval('may that')];
  const asking = (revision: number, ...choices: readonly (readonly JobChoice[])[]) =>
    planRun({ state: 'waitingForInput', revision, error, choices: [...choices.flat(), ...ofRun] });
  expect(tell(asking(2, first))).toHaveLength(1);
  expect(tell(asking(3, first, second), asking(2, first))).toMatchObject([{ about: { task: 'may that' } }]);
  expect(tell(asking(4, second), asking(3, first, second))).toEqual([]);
  expect(tell(asking(5), asking(4, second))).toEqual([]);
});

test('a question that comes back after an answer is asked again, under another key', () => {
  const asking = (revision: number) =>
    planRun({ state: 'waitingForInput', revision, tasks: [step('may')], choices: [...approval('may')] });
  const [first] = tell(asking(2));
  const [second] = tell(asking(9), planRun({ state: 'inProgress', revision: 5 }));
  expect(second).toBeDefined();
  expect(second?.key).not.toBe(first?.key);
});

test('the run of one machine that waits for its operator asks too, even where a plan moves it', () => {
  const job = sampleJob('op-1', {
    kind: 'failover',
    state: 'waitingForInput',
    tasks: [step('fence', { state: 'failed', error })],
    choices: [
      { decision: 'retry', means: 'Again.' },
      { decision: 'rollBack', means: 'Back.' },
    ],
    error,
  });
  const [asked] = tell(job, undefined, true);
  expect(asked).toMatchObject({
    subject: 'Failover of machine-0001 waits for a decision: Step fence',
    about: { machines: ['machine-0001'] },
  });
  expect(asked?.text).toContain('  switchback job cancel op-1 --mode roll-back\n');
  const { error: __, ...goneOn } = job;
  const later = { ...goneOn, revision: 8, tasks: [...job.tasks, step('disks', { state: 'failed', error })] };
  expect(tell({ ...later, error }, job)).toHaveLength(1);
});

test('a job that somebody holds asks nobody', () => {
  const choices = [{ decision: 'finish', means: 'It goes on.' }, ...ofRun] as const;
  expect(tell(planRun({ state: 'waitingForInput', choices }))).toEqual([]);
});

test('a failure is told once, that of a machine inside a plan by the run of the plan alone', () => {
  const failed = planRun({ state: 'failed', revision: 9, endedAt: at, error });
  expect(tell(failed, planRun({}))).toMatchObject([
    { key: 'failed\nrun-7', event: 'failed', subject: 'Failover of plan shop failed' },
  ]);
  expect(tell(failed, failed)).toEqual([]);
  const member = sampleJob('run-7-0-m-1', { kind: 'testFailover', state: 'failed', error });
  expect(planRunOf(member)).toBe('run-7');
  expect(planRunOf(failed)).toBeUndefined();
  expect(tell(member, undefined, true)).toEqual([]);
  expect(tell(member)).toMatchObject([{ subject: 'Test failover of machine-0001 failed' }]);
});

test('who sets something up is there and told by no one, and what ends well is no news', () => {
  const setup: Job = { ...jobOfNobody, kind: 'addVCenter', state: 'failed', error };
  expect(tell(setup)).toEqual([]);
  for (const state of ['succeeded', 'cancelled', 'inProgress'] as const) {
    expect(tell(planRun({ state }))).toEqual([]);
  }
});

test('a scheduled drill that did not run is missed, not failed', () => {
  const missed = (over: Partial<Job>, task: Partial<JobTask>) =>
    tell(
      planRun({ kind: 'testPlan', ...over, tasks: [step(MISSED_DRILL_TASK, { state: 'skipped', ...task })] }),
    );
  expect(missed({ state: 'cancelled' }, { detail: 'in the blackout until noon' })).toMatchObject([
    { event: 'drillMissed', text: expect.stringContaining('Why: in the blackout until noon') },
  ]);
  expect(missed({ state: 'failed' }, { state: 'failed', error })).toMatchObject([
    { event: 'drillMissed', text: expect.stringContaining('Remedy: Look at it.') },
  ]);
});
