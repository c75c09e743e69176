import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { PageWriter } from '../../dataplane/apply/page-writer.ts';
import { KiB, MiB } from '../../domain/units.ts';
import { seededRandom } from './support/random.ts';
import type { Rig } from './support/rig.ts';
import { never, startRig, watched } from './support/rig.ts';

const random = seededRandom('page writer');
let rig: Rig;

beforeAll(async () => {
  rig = await startRig(random);
});

afterAll(async () => {
  await rig.stop();
});

test('where writes and clears overlap the later one wins, and nothing is out of order in flight', async () => {
  const bytes = 512 * KiB;
  const replica = rig.storage.replica('replica/pages/overlap.vhd');
  await replica.create(bytes);
  // Requests overtake each other, as they do on a network.
  const writer = await watched(rig.storage, (what) =>
    what === 'write' || what === 'clear' ? delay(random.int(12)) : undefined,
  )
    .replica(replica.name)
    .fence(1, never);
  const pages = new PageWriter(writer, never);
  const model = Buffer.alloc(bytes);
  for (let count = 0; count < 160; count += 1) {
    const offset = random.int(bytes / 512) * 512;
    const length = Math.min(bytes - offset, 512 * (1 + random.int(256)));
    if (random.int(4) === 0) {
      await pages.clear(offset, length);
      model.fill(0, offset, offset + length);
    } else {
      const data = random.bytes(length);
      await pages.write(offset, data);
      data.copy(model, offset);
    }
  }
  await pages.flush();
  await writer.release();
  expect(Buffer.from(await replica.read(null, 0, bytes)).equals(model)).toBe(true);
});

test('neighbours become Put Page requests of 4 MiB', async () => {
  const bytes = 9 * MiB;
  const replica = watched(rig.storage, (what) => {
    if (what === 'write') requests += 1;
  }).replica('replica/pages/long.vhd');
  let requests = 0;
  await replica.create(bytes);
  const writer = await replica.fence(1, never);
  const pages = new PageWriter(writer, never);
  for (let offset = 0; offset < bytes; offset += 128 * KiB)
    await pages.write(offset, random.bytes(128 * KiB));
  await pages.flush();
  await writer.release();
  expect(requests).toBe(3);
});
