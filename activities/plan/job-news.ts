/**
 * What runs tell of their jobs, for whoever waits in the same process. Every record passes by here on its way to the
 * catalogue, so that nobody has to ask thousands of runs again and again. Only a short cut: with another process in
 * between nothing is heard, and whoever waits looks for himself after a while.
 */
import type { OperationId } from '../../domain/ids.ts';
import type { Job } from '../../domain/job.ts';

export interface JobWait {
  readonly signal: AbortSignal;
  readonly withinMs: number;
}

export interface JobEar {
  /** The newest record since this ear listens, when `test` holds for it; null: it does not within the time. */
  until(test: (job: Job) => boolean, wait: JobWait): Promise<Job | null>;
  /** It may have told everything before: the next `until` does not wait. */
  tooLate(): void;
  close(): void;
}

export class JobNews {
  readonly #ears = new Map<OperationId, Set<(job: Job) => void>>();

  tell(job: Job): void {
    for (const hear of this.#ears.get(job.id) ?? []) hear(job);
  }

  /** `hear` learns of every record that is newer than those before. */
  listen(id: OperationId, hear: (job: Job) => void = () => undefined): JobEar {
    let newest: Job | undefined;
    let isTooLate = false;
    let wake: () => void = () => undefined;
    const learn = (job: Job) => {
      if (newest !== undefined && job.revision < newest.revision) return;
      newest = job;
      hear(job);
      wake();
    };
    const ears = this.#ears.get(id) ?? new Set();
    this.#ears.set(id, ears.add(learn));
    return {
      async until(test, { signal, withinMs }) {
        const told = () => (newest !== undefined && test(newest) ? newest : null);
        if (told() === null && !isTooLate) {
          await heard(signal, withinMs, (done) => {
            wake = () => told() !== null && done();
          });
        }
        isTooLate = false;
        return told();
      },
      tooLate() {
        isTooLate = true;
      },
      close: () => {
        ears.delete(learn);
        if (ears.size === 0 && this.#ears.get(id) === ears) this.#ears.delete(id);
      },
    };
  }
}

/** Ends with `done`, when the time is up, or with the signal, whose holder looks at it. */
function heard(signal: AbortSignal, withinMs: number, begin: (done: () => void) => void): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(end, withinMs);
    signal.addEventListener('abort', end, { once: true });
    begin(end);
    if (signal.aborted) end();
    function end() {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    }
  });
}
