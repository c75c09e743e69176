import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { asId } from '../../domain/ids.ts';
import { lookAtRpo, lookDelayMs } from '../../activities/replication/rpo-look.ts';
import { DrError } from '../../domain/errors.ts';
import { latestBarrier } from '../../dataplane/journal/barriers.ts';
import { seededRandom } from '../dataplane/support/random.ts';
import { replicated, startRig, type Machine, type Rig } from '../dataplane/support/rig.ts';

let rig: Rig;
let machine: Machine;

beforeAll(async () => {
  const random = seededRandom('rpo');
  rig = await startRig(random);
  machine = await replicated(rig, random, [2 ** 20]);
}, 60_000);
afterAll(() => rig.stop());

const look = (thresholdSeconds: number, nowMs: number) =>
  lookAtRpo(rig.storage, { item: { itemId: machine.item } as never, thresholdSeconds }, nowMs);

test('the RPO is kept until the newest durable changes are older than the threshold', async () => {
  const barrier = await latestBarrier(rig.storage, machine.item);
  const sourceTime = barrier?.sourceTime ?? '';
  const madeMs = Date.parse(sourceTime);
  expect(await look(60, madeMs + 60_000)).toEqual({ outcome: 'kept', sourceTime });
  expect(await look(60, madeMs + 60_001)).toEqual({ outcome: 'exceeded', sourceTime });
});

test('an item without durable changes keeps none', async () => {
  const item = { itemId: asId('00000000-0000-4000-8000-000000000000') } as never;
  const seen = await lookAtRpo(rig.storage, { item, thresholdSeconds: 60 }, Date.now());
  expect(seen).toEqual({ outcome: 'exceeded', sourceTime: null });
});

test('a storage account that does not answer says nothing about the RPO', async () => {
  const away = new DrError('DR_STORAGE_UNREACHABLE', { account: 'a', reason: 'no answer' });
  const storage = {
    ...rig.storage,
    list: () => {
      throw away;
    },
  };
  const terms = { item: { itemId: machine.item } as never, thresholdSeconds: 60 };
  expect(await lookAtRpo(storage, terms, Date.now())).toEqual({ outcome: 'unknown', sourceTime: null });
});

test('looks are half the threshold apart, between one and fifteen minutes', () => {
  const delays = [5, 300, 86_400].map((thresholdSeconds) => lookDelayMs({ thresholdSeconds }));
  expect(delays).toEqual([60_000, 150_000, 900_000]);
});
