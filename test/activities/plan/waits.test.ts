import { describe, expect, it } from '@jest/globals';
import { GONE_FOR_A_MOMENT, Waits, type Waiter } from '../../../activities/plan/waits.ts';

/** Work that ends when the test says so. */
function work() {
  const begun: Waiter[] = [];
  const ending = Promise.withResolvers<string>();
  const begin = (own: Waiter) => {
    begun.push(own);
    own.report(`look ${begun.length}`);
    own.ask('which way?');
    return ending.promise;
  };
  return { begun, begin, end: ending.resolve };
}

function waiter() {
  const stop = new AbortController();
  const said: string[] = [];
  const say = (what: string) => void said.push(what);
  return { signal: stop.signal, report: say, ask: say, said, stop };
}

describe('waits that outlive the call they were begun by', () => {
  it('a later call joins what an earlier one has left for a moment, and hears what it waits for and what it asks', async () => {
    const { begun, begin, end } = work();
    const waits = new Waits<string>();
    const [first, second] = [waiter(), waiter()];
    const left = waits.join('job', first, begin);
    first.stop.abort(GONE_FOR_A_MOMENT);
    await expect(left).rejects.toThrow('aborted');
    const joined = waits.join('job', second, begin);
    end('done');
    expect(await joined).toBe('done');
    expect(begun).toHaveLength(1);
    expect(second.said).toEqual(['look 1', 'which way?']);
  });

  it('nothing is said of questions as long as nobody knows', async () => {
    const { promise, resolve } = Promise.withResolvers<string>();
    const said: string[] = [];
    const waits = new Waits<string>();
    const joined = waits.join('job', { ...waiter(), ask: (what) => void said.push(what) }, () => promise);
    resolve('done');
    await joined;
    expect(said).toEqual([]);
  });

  it('what ended between two calls is told to the next one', async () => {
    const { begun, begin, end } = work();
    const waits = new Waits<string>();
    const first = waiter();
    const left = waits.join('job', first, begin);
    first.stop.abort(GONE_FOR_A_MOMENT);
    await expect(left).rejects.toThrow('aborted');
    end('done');
    expect(await waits.join('job', waiter(), begin)).toBe('done');
    expect(begun).toHaveLength(1);
  });

  it('ends with the last one that waits, and the next call begins anew', async () => {
    const { begun, begin, end } = work();
    const waits = new Waits<string>();
    const [first, second] = [waiter(), waiter()];
    const both = [waits.join('job', first, begin), waits.join('job', second, begin)];
    first.stop.abort();
    await expect(both[0]).rejects.toThrow();
    expect(begun[0]?.signal.aborted).toBe(false);
    second.stop.abort();
    await expect(both[1]).rejects.toThrow();
    expect(begun[0]?.signal.aborted).toBe(true);
    const anew = waits.join('job', waiter(), begin);
    end('done');
    expect(await anew).toBe('done');
    expect(begun).toHaveLength(2);
  });

  it('a result is told once: the next call begins anew', async () => {
    const { begun, begin, end } = work();
    const waits = new Waits<string>();
    end('done');
    await waits.join('job', waiter(), begin);
    await waits.join('job', waiter(), begin);
    expect(begun).toHaveLength(2);
  });
});
