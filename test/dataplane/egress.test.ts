/** The way out of a process server, in virtual time. */
import { describe, expect, test } from '@jest/globals';
import { Egress, type EgressClock, type EgressFlow } from '../../dataplane/egress/egress.ts';
import { FairQueue } from '../../dataplane/egress/fair-queue.ts';
import { charged, refilled, waitMs } from '../../dataplane/egress/token-bucket.ts';
import { asId, type ProtectedItemId } from '../../domain/ids.ts';
import type { Rate, ThrottleSchedule } from '../../domain/throttle.ts';
import { MiB } from '../../domain/units.ts';
import { seededRandom } from './support/random.ts';

const random = seededRandom('egress');
const never = new AbortController().signal;

/** Time goes on only by `run`, from one call back to the next. */
function virtualClock(startMs = Date.UTC(2026, 0, 5)) {
  let now = startMs;
  const alarms: { readonly at: number; readonly work: () => void }[] = [];
  const clock: EgressClock = {
    now: () => now,
    after(ms, work) {
      const alarm = { at: now + ms, work };
      alarms.push(alarm);
      return () => {
        const index = alarms.indexOf(alarm);
        if (index !== -1) alarms.splice(index, 1);
      };
    },
  };
  const settle = () => new Promise<void>((resolve) => setImmediate(resolve));
  return {
    clock,
    elapsedMs: () => now - startMs,
    async run(untilMs: number) {
      for (await settle(); ; await settle()) {
        const [next] = alarms.toSorted((a, b) => a.at - b.at);
        if (next === undefined || next.at > startMs + untilMs) break;
        alarms.splice(alarms.indexOf(next), 1);
        now = next.at;
        next.work();
      }
      now = startMs + untilMs;
    },
  };
}

const flow = (item: string, traffic: EgressFlow['traffic'] = 'delta', priority?: EgressFlow['priority']) => ({
  item: asId<ProtectedItemId>(item),
  traffic,
  ...(priority === undefined ? {} : { priority }),
});
const always = (rate: Rate): ThrottleSchedule => ({ rate, windows: [] });

/** Sends without end, four at a time; `sent` counts bytes by flow. */
function backlog(egress: Egress, flows: readonly EgressFlow[], signal = never) {
  const sent = new Map<EgressFlow, number>();
  for (const each of flows) {
    const sendOn = async (): Promise<void> => {
      const bytes = MiB + random.int(7 * MiB);
      await egress.send(each, bytes, signal, () => Promise.resolve());
      sent.set(each, (sent.get(each) ?? 0) + bytes);
      return sendOn();
    };
    for (let lane = 0; lane < 4; lane += 1) sendOn().catch(() => undefined);
  }
  return {
    sent: (each: EgressFlow) => sent.get(each) ?? 0,
    total: () => [...sent.values()].reduce((a, b) => a + b, 0),
  };
}

describe('the token bucket', () => {
  test('lets through what the rate allows over any time, but for one request and the burst', () => {
    const rate = 1000 + random.int(100 * MiB);
    let bucket = { tokens: 0, atMs: 0 };
    let sent = 0;
    for (let step = 0; step < 2_000; step += 1) {
      bucket = refilled(bucket, rate, bucket.atMs + random.int(500));
      if (waitMs(bucket, rate) > 0) continue;
      const bytes = 1 + random.int(8 * MiB);
      const before = sent;
      sent += bytes;
      expect(before).toBeLessThanOrEqual((bucket.atMs / 1_000 + 0.25) * rate);
      if (bytes < 60 * rate) bucket = charged(bucket, bytes, rate);
      else sent = before;
    }
    expect(sent).toBeGreaterThan(0);
  });

  test('waits exactly until there is something to spend again', () => {
    const bucket = charged({ tokens: 100, atMs: 0 }, 5_100, 1_000);
    const wait = waitMs(bucket, 1_000);
    expect(waitMs(refilled(bucket, 1_000, wait), 1_000)).toBe(0);
    expect(waitMs(refilled(bucket, 1_000, wait - 2), 1_000)).toBeGreaterThan(0);
  });

  test('earns nothing from a clock that goes back', () => {
    expect(refilled({ tokens: -5, atMs: 9_000 }, 1_000, 3_000).tokens).toBe(-5);
  });
});

describe('the fair queue', () => {
  test('serves flows in proportion to their weights, whatever their requests are like', () => {
    const queue = new FairQueue<readonly [string, number]>();
    const weights = { a: 4, b: 2, c: 1 };
    const served = { a: 0, b: 0, c: 0 };
    const push = (name: 'a' | 'b' | 'c') => {
      const size = 1 + random.int(name === 'c' ? 1_000 : 100);
      queue.push(name, weights[name], size, [name, size]);
    };
    for (const name of ['a', 'b', 'c'] as const) for (let each = 0; each < 4; each += 1) push(name);
    for (let step = 0; step < 20_000; step += 1) {
      const [name, size] = queue.pop() ?? ['', 0];
      served[name as 'a'] += size;
      push(name as 'a');
    }
    const total = served.a + served.b + served.c;
    expect(served.a / total).toBeCloseTo(4 / 7, 1);
    expect(served.b / total).toBeCloseTo(2 / 7, 1);
    expect(served.c / total).toBeCloseTo(1 / 7, 1);
  });

  test('a flow that comes new is served next, however much others have waiting', () => {
    const queue = new FairQueue<string>();
    for (let each = 0; each < 50; each += 1) queue.push('old', 1, 8, 'old');
    for (let each = 0; each < 10; each += 1) queue.pop();
    queue.push('new', 16, 8, 'new');
    expect(queue.pop()).toBe('new');
  });
});

describe('the egress', () => {
  test('keeps the rate', async () => {
    const time = virtualClock();
    const egress = new Egress({ schedule: always(5 * MiB), clock: time.clock });
    const { total } = backlog(egress, [flow('a'), flow('b', 'bulk')]);
    await time.run(600_000);
    expect(total() / (600 * 5 * MiB)).toBeCloseTo(1, 1);
  });

  test('a delta goes before first copies, and those still get their share', async () => {
    const time = virtualClock();
    const egress = new Egress({ schedule: always(10 * MiB), clock: time.clock });
    const delta = flow('a');
    const copies = [flow('b', 'bulk'), flow('c', 'bulk')];
    const { sent, total } = backlog(egress, [delta, ...copies]);
    await time.run(600_000);
    expect(sent(delta) / total()).toBeCloseTo(16 / 18, 1);
    for (const copy of copies) expect(sent(copy) / total()).toBeGreaterThan(0.03);
  });

  test('items of one kind share by their priority', async () => {
    const time = virtualClock();
    const egress = new Egress({ schedule: always(10 * MiB), clock: time.clock });
    const flows = [flow('a', 'delta', 'high'), flow('b'), flow('c', 'delta', 'low')];
    const { sent, total } = backlog(egress, flows);
    await time.run(600_000);
    const shares = flows.map((each) => sent(each) / total());
    for (const [index, share] of [4 / 7, 2 / 7, 1 / 7].entries()) expect(shares[index]).toBeCloseTo(share, 1);
  });

  test('a final delta waits for nothing, and the others pay for it', async () => {
    const time = virtualClock();
    const egress = new Egress({ schedule: always(MiB), clock: time.clock });
    const { total } = backlog(egress, [flow('a')]);
    await time.run(60_000);
    const before = total();
    for (let each = 0; each < 6; each += 1)
      await egress.send(flow('b', 'final'), 8 * MiB, never, () => Promise.resolve());
    expect(time.elapsedMs()).toBe(60_000);
    await time.run(160_000);
    expect((total() - before) / ((100 - 48) * MiB)).toBeCloseTo(1, 0);
  });

  test('a pause sends deltas back, keeps first copies waiting, and lets a final delta through', async () => {
    const time = virtualClock();
    const pause = { days: ['mon'], fromMinute: 0, toMinute: 60, rate: 'paused', timeZone: 'UTC' } as const;
    const egress = new Egress({ schedule: { rate: MiB, windows: [pause] }, clock: time.clock });
    expect(() => egress.requireOpen('delta')).toThrow('paused until 2026-01-05T01:00:00.000Z');
    await expect(egress.send(flow('a'), 1, never, () => Promise.resolve())).rejects.toMatchObject({
      code: 'DR_REPLICATION_DEFERRED',
    });
    await egress.send(flow('b', 'final'), 1, never, () => Promise.resolve());
    const { total } = backlog(egress, [flow('c', 'bulk')]);
    await time.run(59 * 60_000);
    expect(total()).toBe(0);
    await time.run(70 * 60_000);
    expect(total() / (600 * MiB)).toBeCloseTo(1, 1);
  });

  test('as many uploads are under way as allowed, and one that failed or was given up frees its place', async () => {
    const egress = new Egress({ uploadsAtOnce: 3 });
    const held = Promise.withResolvers<void>();
    let underWay = 0;
    let most = 0;
    const upload = async () => {
      underWay += 1;
      most = Math.max(most, underWay);
      await held.promise;
      underWay -= 1;
      throw new Error('lost');
    };
    const controller = new AbortController();
    const sends = Array.from({ length: 9 }, (_, index) =>
      egress.send(flow(`item-${index}`), 1, index === 5 ? controller.signal : never, upload),
    );
    controller.abort(new Error('given up'));
    held.resolve();
    const reasons = (await Promise.allSettled(sends)).map((each) =>
      String((each as PromiseRejectedResult).reason),
    );
    expect(most).toBe(3);
    expect(reasons.filter((reason) => reason.includes('given up'))).toHaveLength(1);
    expect(reasons.filter((reason) => reason.includes('lost'))).toHaveLength(8);
  });
});
