import { describe, expect, test } from '@jest/globals';
import { DeadlineError, withDeadline } from '../../../providers/azure/deadline.ts';

/** A peer that accepts and stays silent: ends only when it is aborted. */
const silence = (signal: AbortSignal) =>
  new Promise<never>((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(new Error('aborted by the client')), { once: true });
  });

describe('withDeadline', () => {
  test('gives up on a silent peer when the time is over', async () => {
    await expect(withDeadline(10, undefined, silence)).rejects.toBeInstanceOf(DeadlineError);
  });

  test("throws the caller's own reason when the caller gives up", async () => {
    const stop = new AbortController();
    const reason = new Error('worker shuts down');
    const waiting = withDeadline(60_000, stop.signal, silence);
    stop.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    await expect(withDeadline(60_000, stop.signal, silence)).rejects.toBe(reason);
  });

  test('passes results and errors through, and never aborts afterwards', async () => {
    let kept: AbortSignal | undefined;
    const work = (signal: AbortSignal) => {
      kept = signal;
      return Promise.resolve('done');
    };
    await expect(withDeadline(60_000, undefined, work)).resolves.toBe('done');
    expect(kept?.aborted).toBe(false);
    const error = new Error('refused');
    await expect(withDeadline(60_000, undefined, () => Promise.reject(error))).rejects.toBe(error);
  });
});
