/** What a catalogue says of jobs that are over. Its jobs come after those of other tests of the same catalogue. */
import { expect, test } from '@jest/globals';
import { asId, type ProtectedItemId } from '../../../domain/ids.ts';
import type { Catalogue } from '../../../server/catalogue/catalogue.ts';
import { machineUuid, sampleJob } from '../../support/samples.ts';

export function pastJobsContract(catalogue: () => Catalogue): void {
  test('of each machine the last verification that came to its end is known, with what it compared', async () => {
    const itemId = asId<ProtectedItemId>(machineUuid(7));
    const verified = (id: string, hour: number, over: object) =>
      catalogue().recordJob(
        sampleJob(id, {
          kind: 'verify',
          itemId,
          state: 'succeeded',
          startedAt: new Date(Date.UTC(2026, 10, 20, hour)).toISOString(),
          endedAt: new Date(Date.UTC(2026, 10, 20, hour, 30)).toISOString(),
          result: { pointId: `p${hour}`, comparedBytes: 2 ** 40, changedBytes: 1, differingBytes: 0 },
          ...over,
        }),
      );
    await verified('verify-early', 9, {});
    await verified('verify-late', 11, {});
    await verified('verify-failed', 12, { state: 'failed' });
    await verified('verify-less', 10, { itemId: asId(machineUuid(8)), result: { pointId: 'p10' } });
    const found = await catalogue().lastVerifications([itemId, machineUuid(8)]);
    expect([...found]).toEqual([
      [
        itemId,
        {
          job: 'verify-late',
          endedAt: '2026-11-20T11:30:00.000Z',
          pointId: 'p11',
          comparedBytes: 2 ** 40,
          changedBytes: 1,
          differingBytes: 0,
        },
      ],
    ]);
  });

  test('of what many machines and plans have done the newest are read, of each kind, and what failed is not', async () => {
    const [often, once] = [asId<ProtectedItemId>(machineUuid(21)), asId<ProtectedItemId>(machineUuid(22))];
    const at = (minute: number) => new Date(Date.UTC(2026, 9, 1, 0, minute)).toISOString();
    const done = (id: string, minute: number, over: Parameters<typeof sampleJob>[1]) =>
      catalogue().recordJob(
        sampleJob(id, {
          state: 'succeeded',
          startedAt: at(minute),
          endedAt: at(minute + 1),
          tasks: [],
          ...over,
        }),
      );
    for (let n = 0; n < 30; n += 1) {
      const result = { rtoSeconds: n };
      await done(`drill-${n}`, n * 10, { kind: 'testFailover', itemId: often, result });
      await done(`clean-${n}`, n * 10 + 5, { kind: 'cleanupTestFailover', itemId: often });
      const plan = { plan: { version: n + 1 }, members: [], decisions: [] };
      const { itemId: _, ...run } = sampleJob(`plan-${n}`, {
        kind: 'testPlan',
        subject: 'often',
        result: plan,
      });
      await catalogue().recordJob({
        ...run,
        state: 'succeeded',
        startedAt: at(n * 10),
        endedAt: at(n * 10 + 1),
      });
    }
    await done('failed', 999, {
      kind: 'testFailover',
      itemId: often,
      state: 'failed',
      result: { rtoSeconds: 99 },
    });
    await done('one', 1, { kind: 'failover', itemId: once, result: { rtoSeconds: 7 } });

    const runs = await catalogue().pastRunsOfItems([often, once]);
    const secondsOf = (id: string) =>
      runs.flatMap(({ itemId, rtoSeconds }) => (itemId === id ? [rtoSeconds] : []));
    expect(secondsOf(often)).toEqual([29, 28, 27, 26, 25]);
    expect(secondsOf(once)).toEqual([7]);
    const plans = await catalogue().pastRunsOfPlans(['often', 'never']);
    expect(plans.map(({ plan, version }) => [plan, version])).toEqual(
      [30, 29, 28, 27, 26].map((version) => ['often', version]),
    );
    const past = await catalogue().pastDurations({ plan: 'often', kind: 'test', itemIds: [often, once] });
    expect([past.ofItem.get(often)?.length, past.ofItem.has(once)]).toEqual([20, false]);
    expect(past.ofAny.length).toBeGreaterThanOrEqual(30);
  });
}
