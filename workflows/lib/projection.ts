/**
 * Sends the newest state of something to the catalogue, one write at a time; states that were overtaken are
 * skipped, and so are all but the last of those that follow each other within one workflow task. After a write comes
 * a rest, the longer the longer the write took, that only news end: a catalogue under load is asked for less. The
 * catalogue is a projection: when it is out of reach the runbook goes on, and `settled` gives up waiting after a
 * bound. A cancelled runbook still shows how it ended.
 *
 * What is done next must never follow from how late it is: a task that asks for nothing may be played again together
 * with the one after it, at that one's time. So the rest is a timer that begins where the write ends.
 */
import { CancellationScope, condition } from '@temporalio/workflow';

export interface Projection<T> {
  show(state: T): void;
  /** Resolves when the newest state is written, at the latest after ten minutes. */
  settled(): Promise<void>;
}

const REST_MS_MIN = 2_000;
const REST_MS_MAX = 30_000;
/** Of the time that a write takes: writing takes a tenth of the time at most. */
const REST_TIMES = 10;

const always = () => true;

/** `isNews`: people must hear of it at once; default: they must of every state. */
export function projection<T>(
  write: (state: T) => Promise<void>,
  isNews: (state: T, written: T | undefined) => boolean = always,
): Projection<T> {
  let waiting: { state: T } | undefined;
  let written: T | undefined;
  let busy = false;
  let settling = 0;

  const mayGoOn = () => settling > 0 || (waiting !== undefined && isNews(waiting.state, written));
  const writeNewest = async ({ state }: { readonly state: T }) => {
    const startedMs = Date.now();
    await write(state).catch(() => undefined);
    written = state;
    const restMs = Math.min((Date.now() - startedMs) * REST_TIMES, REST_MS_MAX);
    if (isNews !== always) await condition(mayGoOn, Math.max(restMs, REST_MS_MIN));
  };
  const drain = async () => {
    busy = true;
    while (waiting !== undefined) {
      await endOfTask();
      const newest = waiting;
      waiting = undefined;
      await writeNewest(newest);
    }
    busy = false;
  };
  return {
    show(state) {
      waiting = { state };
      if (!busy) void CancellationScope.nonCancellable(drain);
    },
    async settled() {
      settling += 1;
      await CancellationScope.nonCancellable(() =>
        condition(() => !busy && waiting === undefined, '10 minutes'),
      );
      settling -= 1;
    },
  };
}

/** When everything that this workflow task brings was looked at: conditions are, at its end. */
function endOfTask(): Promise<void> {
  let isAsked = false;
  const end = condition(() => isAsked);
  isAsked = true;
  return end;
}
