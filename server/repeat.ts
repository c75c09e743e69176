/** Work of the configuration server that comes round again and again. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { catalogueError } from './catalogue/open.ts';

export interface Round {
  /** For the log. */
  readonly what: string;
  /** From the end of a round to the begin of the next. */
  readonly everyMs: number;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** One round at a time until the signal aborts. A round that fails is logged where the one before did not, and the next one follows. */
export async function repeat(work: () => Promise<void>, round: Round): Promise<void> {
  const { what, everyMs, log, signal } = round;
  let isFailing = false;
  while (!signal.aborted) {
    try {
      await work();
      if (isFailing) log.info(`${what}: works again`);
      isFailing = false;
    } catch (error) {
      if (signal.aborted) return;
      if (!isFailing) log.warn({ err: catalogueError(error) }, `${what}: failed, tried again soon`);
      isFailing = true;
    }
    await sleep(everyMs, undefined, { signal }).catch(() => undefined);
  }
}
