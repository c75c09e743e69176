/**
 * Sends the newest state of something to the catalogue, one write at a time; states that were overtaken are
 * skipped, and what an event changes is one write. Nothing here follows from time: a replay would
 * decide otherwise. The catalogue is a projection: when it is out of reach the runbook goes on, and `settled` gives up
 * waiting after a bound. A cancelled runbook still shows how it ended.
 */
import { CancellationScope, condition } from '@temporalio/workflow';

export interface Projection<T> {
  show(state: T): void;
  /** Resolves when the newest state is written, at the latest after ten minutes. */
  settled(): Promise<void>;
}

export function projection<T>(write: (state: T) => Promise<void>): Projection<T> {
  let waiting: { state: T } | undefined;
  let busy = false;
  const drain = async () => {
    busy = true;
    while (waiting !== undefined) {
      await CancellationScope.nonCancellable(endOfTask);
      const { state } = waiting;
      waiting = undefined;
      await CancellationScope.nonCancellable(() => write(state)).catch(() => undefined);
    }
    busy = false;
  };
  return {
    show(state) {
      waiting = { state };
      if (!busy) void drain();
    },
    async settled() {
      await CancellationScope.nonCancellable(() =>
        condition(() => !busy && waiting === undefined, '10 minutes'),
      );
    },
  };
}

/** Conditions are looked at when everything that a workflow task has brought was done. */
function endOfTask(): Promise<void> {
  let isAsked = false;
  const asked = condition(() => isAsked);
  isAsked = true;
  return asked;
}
