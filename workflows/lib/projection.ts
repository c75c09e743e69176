/**
 * Sends the newest state of something to the catalogue, one write at a time; states that were overtaken are
 * skipped. The catalogue is a projection: when it is out of reach the runbook goes on, and `settled` gives up
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
