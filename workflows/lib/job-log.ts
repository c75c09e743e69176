/** A job's record: the workflow owns it, every change goes to the catalogue. */
import { isCancellation } from '@temporalio/workflow';
import type { OperationId, ProtectedItemId } from '../../domain/ids.ts';
import type { Job, JobChoice, JobError, JobKind, JobTask } from '../../domain/job.ts';
import { jobError } from './failures.ts';
import { projection } from './projection.ts';
import { catalogue } from './proxies.ts';

/** Turns what came back into words for people. */
type Detail<T> = (result: T) => string | undefined;

export interface TaskLog {
  /** Runs work as a task, below the one it belongs to; work that answers `SkippedTask` was skipped. */
  task<T>(id: string, name: string, work: (below: TaskLog) => Promise<T>, detail?: Detail<T>): Promise<T>;
  /** The task itself waits for an operator; `goOn` when somebody has decided. */
  wait(error?: JobError): void;
  goOn(): void;
  /** What the task does now, for people; empty: nothing worth a word. */
  say(detail: string): void;
}

/** What work answers that was left out. */
export interface SkippedTask {
  readonly skipped: string;
}

export interface JobLog {
  readonly job: Job;
  /** Runs a step as a task of the job; what it does itself may be tasks below it. */
  step<T>(id: string, name: string, work: (tasks: TaskLog) => Promise<T>, detail?: Detail<T>): Promise<T>;
  /** Marks a failed step as skipped. */
  skipped(id: string, reason: string): void;
  /** Decisions that are possible now. */
  offer(choices: readonly JobChoice[]): void;
  /** Waits for an operator, after a failure or because somebody asked it to hold. */
  wait(choices: readonly JobChoice[], error?: JobError): void;
  goOn(): void;
  succeed(result: Readonly<Record<string, unknown>>): Promise<void>;
  fail(error: unknown): Promise<JobError>;
  /** Rolled back because somebody asked for it. */
  cancelled(): Promise<void>;
}

export function jobLog(start: {
  readonly id: OperationId;
  readonly kind: JobKind;
  readonly itemId?: ProtectedItemId;
  readonly subject: string;
  readonly requestedBy: string;
  /** What of the tasks the catalogue is told while the job is under way; default: all. Every record stays in the history. */
  readonly told?: (tasks: readonly JobTask[]) => readonly JobTask[];
}): JobLog {
  const { told = (tasks: readonly JobTask[]) => tasks, ...facts } = start;
  const shown = projection<Job>((job) => catalogue.recordJob({ job }));
  let lastTold = '';
  const tell = (next: Job) => {
    const part = next.endedAt === undefined ? { ...next, tasks: told(next.tasks) } : next;
    const content = JSON.stringify({ ...part, revision: 0 });
    if (content !== lastTold) shown.show(part);
    lastTold = content;
  };
  let job: Job = { ...facts, state: 'inProgress', revision: Date.now(), startedAt: now(), tasks: [] };
  const change = (next: Partial<Job>) => {
    job = { ...job, ...next, revision: Math.max(job.revision + 1, Date.now()) };
    tell(job);
  };
  const end = async (next: Partial<Job>) => {
    const { choices: _, ...rest } = job;
    job = rest;
    change({ ...next, endedAt: now() });
    await shown.settled();
  };
  change({});

  /** Runs work as a task of a list that `get` and `set` hold. */
  const run = async <T>(
    tasks: { get(): readonly JobTask[]; set(tasks: readonly JobTask[]): void },
    id: string,
    name: string,
    work: (below: TaskLog) => Promise<T>,
    detail?: Detail<T>,
  ): Promise<T> => {
    let task: JobTask = { id, name, state: 'inProgress', startedAt: now() };
    const show = (next: JobTask) => {
      task = next;
      tasks.set(withTask(tasks.get(), task));
    };
    show(task);
    const below: TaskLog = {
      wait: (error) => show({ ...task, state: 'waitingForInput', ...(error === undefined ? {} : { error }) }),
      goOn() {
        const { error: _, ...rest } = task;
        show({ ...rest, state: 'inProgress' });
      },
      say(said) {
        if (said === (task.detail ?? '')) return;
        const { detail: _, ...rest } = task;
        show(said === '' ? rest : { ...rest, detail: said });
      },
      task: (childId, childName, childWork, childDetail) =>
        run(
          { get: () => task.children ?? [], set: (children) => show({ ...task, children }) },
          childId,
          childName,
          childWork,
          childDetail,
        ),
    };
    try {
      const result = await work(below);
      const isSkipped = wasSkipped(result);
      const words = isSkipped ? result.skipped : detail?.(result);
      show({
        ...task,
        state: isSkipped ? 'skipped' : 'succeeded',
        endedAt: now(),
        ...(words === undefined ? {} : { detail: words }),
      });
      return result;
    } catch (error) {
      const state = isCancellation(error) ? 'cancelled' : 'failed';
      show({ ...task, state, endedAt: now(), error: jobError(error) });
      throw error;
    }
  };

  const ofJob = { get: () => job.tasks, set: (tasks: readonly JobTask[]) => change({ tasks }) };
  return {
    get job() {
      return job;
    },
    step: (id, name, work, detail) => run(ofJob, id, name, work, detail),
    skipped(id, reason) {
      const task = job.tasks.find((each) => each.id === id);
      if (task !== undefined) {
        change({ tasks: withTask(job.tasks, { ...task, state: 'skipped', detail: reason }) });
      }
    },
    offer: (choices) => change({ choices }),
    wait: (choices, error) =>
      change({ state: 'waitingForInput', choices, ...(error === undefined ? {} : { error }) }),
    goOn() {
      const { error: _, ...rest } = job;
      job = rest;
      change({ state: 'inProgress' });
    },
    succeed: (result) => end({ state: 'succeeded', result }),
    async fail(error) {
      const known = jobError(error);
      await end({ state: isCancellation(error) ? 'cancelled' : 'failed', error: known });
      return known;
    },
    cancelled: () => end({ state: 'cancelled' }),
  };
}

export function wasSkipped(result: unknown): result is SkippedTask {
  return typeof result === 'object' && result !== null && 'skipped' in result;
}

function withTask(tasks: readonly JobTask[], task: JobTask): JobTask[] {
  const known = tasks.some((each) => each.id === task.id);
  return known ? tasks.map((each) => (each.id === task.id ? task : each)) : [...tasks, task];
}

/** Workflow time: deterministic under replay. */
export function now(): string {
  return new Date().toISOString();
}
