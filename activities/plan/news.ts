/**
 * What runs tell of their jobs, and machines of themselves, for whoever waits in the same process. Every record passes
 * by here on its way to the catalogue, so that nobody has to ask thousands of runs again and again. Only a short cut:
 * with another process in between nothing is heard, and whoever waits looks for himself after a while.
 */
import type { OperationId, ProtectedItemId } from '../../domain/ids.ts';
import type { Job } from '../../domain/job.ts';
import type { ItemView } from '../../workflows/contracts/types.ts';

export interface NewsWait {
  readonly signal: AbortSignal;
  readonly withinMs: number;
}

/** An older revision is told late at most. */
export interface Told {
  readonly revision: number;
}

export interface Ear<T> {
  /** The newest record since this ear listens, when `test` holds for it; null: it does not within the time. */
  until(test: (record: T) => boolean, wait: NewsWait): Promise<T | null>;
  /** It may have told everything before: the next `until` does not wait. */
  tooLate(): void;
  close(): void;
}

export class News<Id extends string, T extends Told> {
  readonly #ears = new Map<Id, Set<(record: T) => void>>();

  tell(id: Id, record: T): void {
    for (const hear of this.#ears.get(id) ?? []) hear(record);
  }

  /** `hear` learns of every record that is newer than those before. */
  listen(id: Id, hear: (record: T) => void = () => undefined): Ear<T> {
    let newest: T | undefined;
    let isTooLate = false;
    let wake: () => void = () => undefined;
    const learn = (record: T) => {
      if (newest !== undefined && record.revision < newest.revision) return;
      newest = record;
      hear(record);
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

/** What passes by the configuration server. */
export interface AllNews {
  readonly jobs: News<OperationId, Job>;
  readonly items: News<ProtectedItemId, ItemView>;
}

export function allNews(): AllNews {
  return { jobs: new News(), items: new News() };
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
