import { describe, expect, test } from '@jest/globals';
import { CacheLevel, type CacheUser } from '../../dataplane/ship/cache-level.ts';
import { seededRandom } from './support/random.ts';

const random = seededRandom('cache level');
const never = new AbortController().signal;
const settle = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Says whether a promise is still waiting. */
async function waits(promise: Promise<void>): Promise<boolean> {
  let done = false;
  promise.finally(() => (done = true)).catch(() => undefined);
  await settle();
  return !done;
}

describe('the water marks of the cache', () => {
  test('above high water the longest running delta waits, others end, none begins until low water', async () => {
    const turns: boolean[] = [];
    const level = new CacheLevel({ high: 100, low: 40 }, (isDraining) => turns.push(isDraining));
    const [first, second] = [level.enter('delta'), level.enter('delta')];
    await first.acquire(50, never);
    await second.acquire(50, never);
    await expect(second.acquire(1, never)).rejects.toMatchObject({ code: 'DR_REPLICATION_DEFERRED' });
    const more = first.acquire(10, never);
    expect(await waits(more)).toBe(true);
    second.release(50);
    expect(() => level.requireRoom('delta')).toThrow('wait for upload');
    expect(await waits(more)).toBe(true);
    first.release(10);
    await more;
    expect(() => level.requireRoom('delta')).not.toThrow();
    expect(turns).toEqual([true, false]);
    expect(level.counters).toMatchObject({ waitingBytes: 50, timesFull: 1, deferredCycles: 1 });
  });

  test('first copies stop at low water, so that deltas find room', async () => {
    const level = new CacheLevel({ high: 100, low: 40 });
    const [copy, delta] = [level.enter('bulk'), level.enter('delta')];
    await copy.acquire(40, never);
    const more = copy.acquire(1, never);
    expect(await waits(more)).toBe(true);
    await delta.acquire(60, never);
    delta.release(60);
    copy.release(1);
    await more;
  });

  test('a final delta takes room that is not there', async () => {
    const level = new CacheLevel({ high: 10, low: 5 });
    await level.enter('delta').acquire(10, never);
    await level.enter('final').acquire(500, never);
    expect(level.counters.waitingBytes).toBe(510);
  });

  test('who gives up waiting takes nothing', async () => {
    const level = new CacheLevel({ high: 10, low: 5 });
    const delta = level.enter('delta');
    await delta.acquire(10, never);
    const controller = new AbortController();
    const more = delta.acquire(5, controller.signal);
    controller.abort(new Error('given up'));
    await expect(more).rejects.toThrow('given up');
    delta.release(10);
    expect(level.counters.waitingBytes).toBe(0);
  });

  test('however many come and go, the high mark holds and somebody always gets through', async () => {
    const level = new CacheLevel({ high: 1_000, low: 300 });
    let finished = 0;
    let held: { readonly user: CacheUser; readonly bytes: number }[] = [];
    const ship = async (traffic: 'delta' | 'bulk') => {
      const user = level.enter(traffic);
      try {
        for (let step = 0; step < 20; step += 1) {
          const bytes = 1 + random.int(100);
          await user.acquire(bytes, never);
          held.push({ user, bytes });
          expect(level.counters.waitingBytes).toBeLessThanOrEqual(1_000);
        }
        finished += 1;
      } catch {
        level.deferred({ ranges: 1, bytes: 1 });
      } finally {
        user.leave();
      }
    };
    const all = Array.from({ length: 24 }, (_, index) => ship(index % 3 === 0 ? 'bulk' : 'delta'));
    const over = () => finished + level.counters.deferredCycles === all.length;
    for (let round = 0; !over() && round < 10_000; round += 1) {
      const gone = held.filter(() => random.int(3) === 0);
      held = held.filter((each) => !gone.includes(each));
      for (const { user, bytes } of gone) user.release(bytes);
      await settle();
    }
    await Promise.all(all);
    for (const { user, bytes } of held) user.release(bytes);
    expect(finished + level.counters.deferredCycles).toBe(24);
    expect(finished).toBeGreaterThanOrEqual(9);
    expect(level.counters.waitingBytes).toBe(0);
  });
});
