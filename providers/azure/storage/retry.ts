/** When a request is tried again, and after how long. */
import { isRestError } from '@azure/storage-blob';
import { serviceAnswer } from './errors.ts';

export interface RetryRules {
  readonly triesMax: number;
  readonly delayMs: number;
}

const DELAY_MS_MAX = 30_000;
/** The service asks for seconds; more than this is answered by the caller's own retry. */
const RETRY_AFTER_MS_MAX = 60_000;

/** learn.microsoft.com, "Status and error codes": answers that say nothing against the request itself. */
const passingStatus: ReadonlySet<number> = new Set([408, 429, 500, 502, 503, 504]);
const busyStatus: ReadonlySet<number> = new Set([429, 503]);
const passingNetworkErrors: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EAI_AGAIN',
  'ENETUNREACH',
  'ENOTFOUND',
  'EHOSTUNREACH',
  'EPIPE',
  'ETIMEDOUT',
  'REQUEST_SEND_ERROR',
]);

export function mayRetry(error: unknown): boolean {
  const answer = serviceAnswer(error);
  if (answer === null) return false;
  if (answer.status === 0) return passingNetworkErrors.has(answer.serviceCode);
  return passingStatus.has(answer.status);
}

/** The service has more to do than it can: whoever asks should ask less. */
export function isBusy(error: unknown): boolean {
  const answer = serviceAnswer(error);
  if (answer === null) return false;
  return busyStatus.has(answer.status) || answer.serviceCode === 'OperationTimedOut';
}

/**
 * Doubles with every try, half of it by chance, so that those who failed together do not come back together. What the
 * service asks for in `Retry-After` is the least. `failed` counts from 1.
 */
export function retryDelayMs(
  rules: RetryRules,
  failed: number,
  error: unknown,
  random = Math.random(),
): number {
  const delayMs = Math.min(rules.delayMs * 2 ** (failed - 1), DELAY_MS_MAX);
  return Math.max(delayMs / 2 + (random * delayMs) / 2, retryAfterMs(error));
}

function retryAfterMs(error: unknown): number {
  const headers = isRestError(error) ? error.response?.headers : undefined;
  const inMs = Number(headers?.get('x-ms-retry-after-ms') ?? headers?.get('retry-after-ms') ?? Number.NaN);
  const seconds = Number(headers?.get('retry-after') ?? Number.NaN);
  const asked = Number.isNaN(inMs) ? seconds * 1_000 : inMs;
  return Number.isNaN(asked) ? 0 : Math.min(Math.max(asked, 0), RETRY_AFTER_MS_MAX);
}
