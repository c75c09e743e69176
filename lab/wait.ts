/** Waiting on a state of the world, always with a bound. */
import { setTimeout as sleep } from 'node:timers/promises';

export interface WaitOptions {
  /** What is waited for, for the error message: "the ready file of vcenter". */
  readonly what: string;
  readonly withinMs: number;
  readonly everyMs?: number;
}

/** Polls until `look` answers something other than undefined or false. @throws Error naming `what` after `withinMs` */
export async function waitFor<T>(
  look: () => T | undefined | false | Promise<T | undefined | false>,
  { what, withinMs, everyMs = 50 }: WaitOptions,
): Promise<T> {
  const giveUpAt = Date.now() + withinMs;
  for (;;) {
    const seen = await look();
    if (seen !== undefined && seen !== false) return seen;
    if (Date.now() >= giveUpAt) throw new Error(`waited ${withinMs / 1000} s in vain for ${what}`);
    await sleep(everyMs);
  }
}
