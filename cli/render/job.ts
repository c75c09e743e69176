/** A job as a tree of tasks. */
import { styleText } from 'node:util';
import type { Job, Task } from '../../api/jobs.ts';
import { duration, kebab, moment, secondsBetween } from './text.ts';

type Style = Parameters<typeof styleText>[0];

const marks: Readonly<Record<Task['state'], readonly [mark: string, style: Style]>> = {
  notStarted: ['○', 'dim'],
  inProgress: ['◐', 'cyan'],
  waitingForInput: ['?', 'yellow'],
  succeeded: ['✓', 'green'],
  failed: ['✗', 'red'],
  cancelled: ['–', 'yellow'],
  skipped: ['–', 'dim'],
};

export interface RenderOptions {
  /** Colours only where a terminal shows them. */
  readonly colour: boolean;
  /** ISO 8601, for tasks that have not ended. */
  readonly now: string;
}

export function jobTree(job: Job, options: RenderOptions): string {
  const head = `${mark(job.state, options)} ${jobTitle(job)}${took(job, options.now)}`;
  return [head, ...job.tasks.flatMap((task) => taskLines(task, '  ', options)), ...failure(job)].join('\n');
}

export function jobTitle(job: Job): string {
  return `${kebab(job.kind)} of ${job.subject}`;
}

/** One line for a task that has changed. */
export function taskLine(task: Task, options: RenderOptions): string {
  const detail = task.detail === undefined ? '' : `: ${task.detail}`;
  return `${mark(task.state, options)} ${task.name}${took(task, options.now)}${detail}`;
}

export function failure(job: Job): string[] {
  if (job.error === undefined) return [];
  return [`${job.error.message} (${job.error.code})`, `What to do: ${job.error.remedy}`];
}

/** Tasks of the whole tree with their path, parents first. */
export function flatTasks(tasks: readonly Task[]): Task[] {
  return tasks.flatMap((task) => [task, ...flatTasks(task.children ?? [])]);
}

export function jobSummary(job: Job): string[] {
  return [job.id, kebab(job.kind), job.subject, job.state, moment(job.startedAt), job.requestedBy];
}

function taskLines(task: Task, indent: string, options: RenderOptions): string[] {
  const error = task.error === undefined ? [] : [`${indent}  ${task.error.message} (${task.error.code})`];
  return [
    `${indent}${taskLine(task, options)}`,
    ...error,
    ...(task.children ?? []).flatMap((child) => taskLines(child, `${indent}  `, options)),
  ];
}

function took(part: Pick<Job | Task, 'startedAt' | 'endedAt'>, now: string): string {
  if (part.startedAt === undefined) return '';
  return ` (${duration(secondsBetween(part.startedAt, part.endedAt ?? now))})`;
}

function mark(state: Task['state'], { colour }: RenderOptions): string {
  const [sign, style] = marks[state];
  return colour ? styleText(style, sign, { validateStream: false }) : sign;
}
