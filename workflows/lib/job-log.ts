/** A job's record: the workflow owns it, every change goes to the catalogue. */
import { isCancellation } from '@temporalio/workflow';
import type { OperationId, ProtectedItemId } from '../../domain/ids.ts';
import type { Job, JobError, JobKind, JobTask } from '../../domain/job.ts';
import { jobError } from './failures.ts';
import { projection } from './projection.ts';
import { catalogue } from './proxies.ts';

export interface JobLog {
  /** Runs a step as a task of the job; `detail` turns what came back into words for people. */
  step<T>(
    id: string,
    name: string,
    work: () => Promise<T>,
    detail?: (result: T) => string | undefined,
  ): Promise<T>;
  /** As `step`, but a failure is recorded and does not end the run. */
  attempt<T>(
    id: string,
    name: string,
    work: () => Promise<T>,
    detail?: (result: T) => string,
  ): Promise<T | undefined>;
  succeed(result: Readonly<Record<string, unknown>>): Promise<void>;
  fail(error: unknown): Promise<JobError>;
}

export function jobLog(start: {
  readonly id: OperationId;
  readonly kind: JobKind;
  readonly itemId: ProtectedItemId;
  readonly machineName: string;
  readonly requestedBy: string;
}): JobLog {
  const shown = projection<Job>((job) => catalogue.recordJob({ job }));
  let job: Job = { ...start, state: 'inProgress', revision: Date.now(), startedAt: now(), tasks: [] };
  const change = (next: Partial<Job>) => {
    job = { ...job, ...next, revision: Math.max(job.revision + 1, Date.now()) };
    shown.show(job);
  };
  const setTask = (task: JobTask) => {
    const known = job.tasks.some((each) => each.id === task.id);
    change({
      tasks: known ? job.tasks.map((each) => (each.id === task.id ? task : each)) : [...job.tasks, task],
    });
  };
  change({});

  const run = async <T>(
    id: string,
    name: string,
    work: () => Promise<T>,
    detail?: (result: T) => string | undefined,
  ): Promise<T> => {
    const begun: JobTask = { id, name, state: 'inProgress', startedAt: now() };
    setTask(begun);
    try {
      const result = await work();
      const words = detail?.(result);
      setTask({
        ...begun,
        state: 'succeeded',
        endedAt: now(),
        ...(words === undefined ? {} : { detail: words }),
      });
      return result;
    } catch (error) {
      setTask({
        ...begun,
        state: isCancellation(error) ? 'cancelled' : 'failed',
        endedAt: now(),
        error: jobError(error),
      });
      throw error;
    }
  };

  return {
    step: run,
    attempt: (id, name, work, detail) => run(id, name, work, detail).catch(() => undefined),
    async succeed(result) {
      change({ state: 'succeeded', endedAt: now(), result });
      await shown.settled();
    },
    async fail(error) {
      const known = jobError(error);
      change({ state: isCancellation(error) ? 'cancelled' : 'failed', endedAt: now(), error: known });
      await shown.settled();
      return known;
    },
  };
}

/** Workflow time: deterministic under replay. */
export function now(): string {
  return new Date().toISOString();
}
