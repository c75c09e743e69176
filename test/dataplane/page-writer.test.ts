import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { PAGE_BLOB_COST } from '../../dataplane/apply/cost-model.ts';
import { PageWriter } from '../../dataplane/apply/page-writer.ts';
import type { RecordTarget } from '../../dataplane/apply/page-writer.ts';
import type { Reading } from '../../dataplane/apply/plan-writes.ts';
import type { ReplicaBlob } from '../../domain/ports.ts';
import { KiB, MiB } from '../../domain/units.ts';
import { seededRandom } from './support/random.ts';
import type { Rig } from './support/rig.ts';
import { never, startRig, watched } from './support/rig.ts';

const random = seededRandom('page writer');
const readings: readonly Reading[] = ['never', 'toSaveRequests', 'toSkipUnchanged'];
let rig: Rig;

beforeAll(async () => {
  rig = await startRig(random);
});

afterAll(async () => {
  await rig.stop();
});

interface Opened {
  readonly replica: ReplicaBlob;
  readonly target: Required<RecordTarget>;
  /** Requests by name, since it was opened. */
  readonly requests: Map<string, number>;
  readonly close: () => Promise<void>;
}

async function openTarget(
  name: string,
  bytes: number,
  before: (what: string) => Promise<void> | undefined = () => undefined,
): Promise<Opened> {
  const requests = new Map<string, number>();
  const storage = watched(rig.storage, (what) => {
    requests.set(what, (requests.get(what) ?? 0) + 1);
    return what === 'replica' ? undefined : before(what);
  });
  const replica = storage.replica(`replica/pages/${name}.vhd`);
  await replica.create(bytes);
  const writer = await replica.fence(1, never);
  requests.clear();
  return {
    replica,
    requests,
    target: {
      write: (offset, data) => writer.write(offset, data),
      clear: (offset, length) => writer.clear(offset, length),
      read: async (offset, into) => {
        await replica.read(null, offset, into.length, never, into);
      },
    },
    close: () => writer.release(),
  };
}

const writerOn = (target: RecordTarget, reading: Reading) =>
  new PageWriter(target, never, { policy: { reading, cost: PAGE_BLOB_COST } });

test.each(readings)(
  'where writes and clears overlap the later one wins, and nothing is out of order in flight (reading %s)',
  async (reading) => {
    const bytes = 512 * KiB;
    // Requests overtake each other, as they do on a network.
    const { replica, target, close } = await openTarget(`overlap-${reading}`, bytes, () =>
      delay(random.int(12)),
    );
    const model = Buffer.alloc(bytes);
    for (let batch = 0; batch < 3; batch += 1) {
      // Each writer is a batch; the requests of the one before have ended when it ends.
      const pages = writerOn(target, reading);
      for (let count = 0; count < 50; count += 1) {
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
    }
    await close();
    expect(Buffer.from(await replica.read(null, 0, bytes)).equals(model)).toBe(true);
  },
);

test('a batch that is full goes out, and what overwrites it while it is on its way comes behind it', async () => {
  const bytes = 8 * MiB;
  const { replica, target, close } = await openTarget('full', bytes, (what) =>
    what === 'write' ? delay(random.int(20)) : undefined,
  );
  const pages = writerOn(target, 'toSkipUnchanged');
  const model = Buffer.alloc(bytes);
  // Three times the memory of a batch, hitting the same places in another order each time.
  for (let round = 0; round < 6; round += 1) {
    for (const part of [3, 0, 2, 1]) {
      const data = Buffer.alloc(MiB, 1 + random.int(250));
      const offset = part * 2 * MiB + random.int(MiB / 512) * 512;
      await pages.write(offset, data);
      data.copy(model, offset);
    }
  }
  await pages.flush();
  await close();
  expect(Buffer.from(await replica.read(null, 0, bytes)).equals(model)).toBe(true);
});

describe('the number of requests', () => {
  test('for neighbours is one for each 4 MiB', async () => {
    const bytes = 9 * MiB;
    const { target, requests, close } = await openTarget('long', bytes);
    const pages = new PageWriter(target, never);
    for (let offset = 0; offset < bytes; offset += 128 * KiB)
      await pages.write(offset, random.bytes(128 * KiB));
    await pages.flush();
    expect(Object.fromEntries(requests)).toEqual({ write: 3 });
    await close();
  });

  test('for what is there already is that of reading it: nothing is put', async () => {
    const bytes = 5 * MiB;
    const content = random.bytes(bytes);
    const { target, requests, close } = await openTarget('unchanged', bytes);
    const first = new PageWriter(target, never);
    await first.write(0, content);
    await first.flush();
    requests.clear();
    const again = writerOn(target, 'toSkipUnchanged');
    await again.write(0, content);
    await again.flush();
    expect(Object.fromEntries(requests)).toEqual({ read: 2 });
    await close();
  });

  test('for small writes that hit the same place again and again is that of the last one', async () => {
    const { target, requests, close } = await openTarget('hot', MiB);
    const pages = new PageWriter(target, never);
    for (let count = 0; count < 200; count += 1) {
      await pages.write(64 * KiB, random.bytes(4 * KiB));
      await pages.write(512 * KiB, random.bytes(4 * KiB));
    }
    await pages.flush();
    expect(Object.fromEntries(requests)).toEqual({ write: 2 });
    await close();
  });
});
