import { expect, it } from '@jest/globals';
import { allNews } from '../../../activities/plan/news.ts';
import { settledView, type JobCalls, type MemberRunbooks } from '../../../activities/plan/watch-run.ts';
import { asId, type OperationId } from '../../../domain/ids.ts';
import type { ItemView } from '../../../workflows/contracts/types.ts';
import { sampleItem } from '../../support/samples.ts';

const operationId: OperationId = asId('drill-1');
const ENDED_MS = Date.UTC(2026, 10, 22, 3);
const endedAt = new Date(ENDED_MS).toISOString();
const running = { operation: 'testFailover', operationId };
const { itemId } = sampleItem(1);
const wait = { signal: new AbortController().signal, report: () => undefined, ask: () => undefined };
const member = { itemId, operationId, machineName: 'web-01' };

/** What an entity answers, and how often it was asked; its run is over at the look of that number. */
function calls(answers: readonly ItemView[] = [], overAtLook = 1) {
  let looks = 0;
  const look = async () => {
    looks += 1;
    return looks < overAtLook ? null : ({ ended: 'succeeded', facts: {} } as const);
  };
  const news = allNews();
  const asked: ItemView[] = [];
  const runbooks = {
    describeItem: async () => {
      const view = answers[Math.min(asked.length, answers.length - 1)];
      if (view === undefined) throw new Error('the entity is not to be asked');
      if (looks < overAtLook) throw new Error('the run is not over yet');
      asked.push(view);
      return view;
    },
  } as unknown as MemberRunbooks;
  const ears = { itemEar: news.items.listen(itemId), ear: news.jobs.listen(operationId) };
  const all: JobCalls = { runbooks, news, outcomes: { look }, ...ears };
  return { all, asked, tell: (view: ItemView) => news.items.tell(itemId, view) };
}

const told = (revision: number, more: Partial<ItemView> = {}): ItemView => ({
  ...sampleItem(1),
  revision,
  ...more,
});

it('what an item tells after its operation is taken as it is, and nobody asks it', async () => {
  const { all, tell } = calls();
  const settled = settledView(all, member, { ended: 'succeeded', endedAt }, wait);
  tell(told(ENDED_MS - 60_000));
  tell(told(ENDED_MS + 1, { running }));
  tell(told(ENDED_MS + 2));
  expect((await settled).revision).toBe(ENDED_MS + 2);
});

it('a record of the time before the operation is not taken for its end, whenever it comes', async () => {
  const { all, asked, tell } = calls([told(ENDED_MS + 7, { running }), told(ENDED_MS + 9)]);
  tell(told(ENDED_MS - 60_000));
  const unheard = await settledView(all, member, { ended: 'succeeded' }, wait);
  expect([unheard.revision, asked.length]).toEqual([ENDED_MS + 9, 2]);
  const settled = settledView(all, member, { ended: 'succeeded', endedAt }, wait);
  tell(told(ENDED_MS - 50_000));
  tell(told(ENDED_MS));
  expect((await settled).revision).toBe(ENDED_MS);
});

it('a job that has told its success while its run still writes that down is waited for', async () => {
  const { all, asked } = calls([told(ENDED_MS - 1, { running }), told(ENDED_MS + 3)], 4);
  const view = await settledView(all, member, { ended: 'succeeded' }, wait);
  expect([view.revision, asked.length]).toEqual([ENDED_MS + 3, 2]);
});
