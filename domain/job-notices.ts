/** What a change of a job's record tells people: that somebody has to decide, that it failed, that a drill was missed. */
import {
  isPlanJob,
  MISSED_DRILL_TASK,
  type Job,
  type JobChoice,
  type JobDecision,
  type JobError,
  type JobTask,
} from './job.ts';
import { noticeTime, type Notice, type NoticeAbout } from './notification.ts';

export interface JobChange {
  /** As it was recorded last; absent: it is new. */
  readonly before?: Job;
  readonly job: Job;
  /** ISO 8601 UTC, of the record. */
  readonly at: string;
  /** It moves one machine of a plan's run: that it failed, the run itself tells, and asks what to do. */
  readonly isPartOfPlanRun: boolean;
}

/** The states in which a record can have something to tell. */
export function mayTell({ state, kind, itemId }: Job): boolean {
  const isRun = itemId !== undefined || isPlanJob(kind);
  return isRun && (state === 'waitingForInput' || state === 'failed' || state === 'cancelled');
}

export function noticesOfJob(change: JobChange): Notice[] {
  const { before, job, at, isPartOfPlanRun } = change;
  if (!mayTell(job)) return [];
  if (job.state === 'waitingForInput') {
    const asked = new Set(before === undefined ? [] : questionsOf(before).map(({ mark }) => mark));
    return questionsOf(job)
      .filter(({ mark }) => !asked.has(mark))
      .map((question) => waiting(job, question, at));
  }
  if (before?.state === job.state) return [];
  const missed = job.tasks.find(({ id }) => id === MISSED_DRILL_TASK);
  if (missed !== undefined) return [drillMissed(job, missed)];
  return job.state === 'failed' && !isPartOfPlanRun ? [failed(job, at)] : [];
}

/** The plan's run that may have asked for this operation of a machine; whether there is one, the catalogue knows. */
export function planRunOf({ id, kind }: Pick<Job, 'id' | 'kind'>): string | undefined {
  if (isPlanJob(kind)) return undefined;
  return /^(.+)-\d+-[a-z]+-\d+$/.exec(id)?.[1];
}

/** `testFailover` of a machine, `test` of a plan. */
export function jobWords({ kind, subject }: Pick<Job, 'kind' | 'subject'>): string {
  const words = kind.replace(/Plan$/, '').replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
  return `${words} of ${isPlanJob(kind) ? 'plan ' : ''}${subject}`;
}

interface Question {
  /** Tells it from another question of the same job; the same for as long as the question is open. */
  readonly mark: string;
  /** Absent: the job as a whole waits. */
  readonly taskId?: string;
  readonly task?: JobTask;
  readonly choices: readonly JobChoice[];
  readonly error?: JobError;
}

/** One for each task that waits. A job that somebody holds asks nobody, and neither does what a plan's run as a whole offers. */
function questionsOf({ kind, state, choices = [], tasks, error }: Job): Question[] {
  if (state !== 'waitingForInput') return [];
  const all = flat(tasks);
  const byTask = [...Map.groupBy(choices, ({ taskId }) => taskId ?? '')].filter(([id]) => id !== '');
  if (byTask.length === 0) {
    if (isPlanJob(kind) || choices.some(({ decision }) => decision === 'finish')) return [];
    const task = all.findLast((each) => each.state === 'waitingForInput' || each.state === 'failed');
    return [{ mark: `${task?.id} ${task?.endedAt}`, choices, ...withKnown(task, error) }];
  }
  return byTask.map(([taskId, choices]) => {
    const task = all.find(({ id }) => id === taskId);
    const failure = task?.error ?? (byTask.length === 1 ? error : undefined);
    return { mark: `${taskId} ${task?.error?.message}`, taskId, choices, ...withKnown(task, failure) };
  });
}

function withKnown(task: JobTask | undefined, error: JobError | undefined) {
  return { ...(task === undefined ? {} : { task }), ...(error === undefined ? {} : { error }) };
}

function waiting(job: Job, { taskId, task, choices, error }: Question, at: string): Notice {
  const where = task?.name ?? taskId;
  const what = `${capital(jobWords(job))} waits for a decision`;
  return {
    key: ['waitingForInput', job.id, taskId ?? '', job.revision].join('\n'),
    event: 'waitingForInput',
    subject: where === undefined ? what : `${what}: ${where}`,
    text: lines([
      `${what}.`,
      where === undefined ? [] : `At: ${where}`,
      `Since: ${noticeTime(at)}`,
      `Job: ${job.id}, asked for by ${job.requestedBy}`,
      problem(error),
      '',
      'What you can do:',
      ...choices.map((choice) => choiceLines(job.id, choice)),
      `  switchback job show ${job.id}`,
    ]),
    about: { ...aboutJob(job), ...(taskId === undefined ? {} : { task: taskId }) },
  };
}

function failed(job: Job, at: string): Notice {
  const what = `${capital(jobWords(job))} failed`;
  return {
    key: `failed\n${job.id}`,
    event: 'failed',
    subject: what,
    text: lines([
      `${what}.`,
      `Ended: ${noticeTime(job.endedAt ?? at)}`,
      `Job: ${job.id}, asked for by ${job.requestedBy}`,
      problem(job.error),
      '',
      'What happened, step by step:',
      `  switchback job show ${job.id}`,
    ]),
    about: aboutJob(job),
  };
}

function drillMissed(job: Job, { detail, error }: JobTask): Notice {
  const plan = job.subject;
  return {
    key: `drillMissed\n${job.id}`,
    event: 'drillMissed',
    subject: `A drill of plan ${plan} was missed`,
    text: lines([
      `A scheduled drill of plan ${plan} did not run.`,
      `At: ${noticeTime(job.startedAt)}`,
      detail === undefined ? [] : `Why: ${detail}`,
      problem(error),
      '',
      'When the next one begins:',
      `  switchback plan schedule ${plan}`,
    ]),
    about: { job: job.id, plans: [plan] },
  };
}

function aboutJob({ id, kind, subject }: Job): NoticeAbout {
  return { job: id, ...(isPlanJob(kind) ? { plans: [subject] } : { machines: [subject] }) };
}

function problem(error: JobError | undefined): string[] {
  return error === undefined ? [] : [`Why: ${error.message} (${error.code})`, `Remedy: ${error.remedy}`];
}

/** What follows `switchback job`; a decision without a command of its own is made from what `job show` tells. */
const commands: Readonly<Partial<Record<JobDecision, readonly [verb: string, options: string]>>> = {
  finish: ['resume', ''],
  rollBack: ['cancel', ' --mode roll-back'],
  hold: ['cancel', ' --mode hold'],
  retry: ['retry', ''],
  skip: ['skip', ' --reason "…"'],
  abandon: ['abandon', ''],
  approve: ['approve', ''],
  reject: ['reject', ''],
  keep: ['keep', ''],
};

function choiceLines(job: string, { decision, means, taskId }: JobChoice): string[] {
  const command = commands[decision];
  if (command === undefined) return [];
  const [verb, options] = command;
  const task = taskId === undefined ? '' : ` --task ${quoted(taskId)}`;
  return [`  switchback job ${verb} ${job}${task}${options}`, `      ${means}`];
}

/** As a POSIX shell reads it back. */
function quoted(text: string): string {
  return /^[\w.-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

function flat(tasks: readonly JobTask[]): JobTask[] {
  return tasks.flatMap((task) => [task, ...flat(task.children ?? [])]);
}

function lines(parts: readonly (string | readonly string[])[]): string {
  return parts.flat().join('\n');
}

function capital(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}
