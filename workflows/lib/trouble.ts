/** What the first copy and the sessions do alike when they fail: show it as health, wait longer each time, try again. */
import type { Condition } from '../../domain/health.ts';
import { jobError } from './failures.ts';

const PAUSE_MS_MAX = 600_000;

/** Pause after the first failure. */
export const TROUBLE_PAUSE_MS = 5_000;

/** Doubles while the trouble lasts, so that it does not fill the history. */
export function longerPause(pauseMs: number): number {
  return Math.min(pauseMs * 2, PAUSE_MS_MAX);
}

export function troubleOf(error: unknown): Omit<Condition, 'since'> {
  const { code, message, remedy } = jobError(error);
  return { type: code, category: 'critical', reason: message, suggestion: remedy };
}
