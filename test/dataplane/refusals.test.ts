/** What somebody or something may do to the journal, and the name under which it is refused. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { signRecord } from '../../dataplane/journal/signed-record.ts';
import { forgedSegment } from './support/forge-segment.ts';
import { seededRandom } from './support/random.ts';
import { startRig } from './support/rig.ts';
import type { Rig } from './support/rig.ts';
import { Stage } from './support/stage.ts';

const random = seededRandom('refusals');
let rig: Rig;
let stage: Stage;

beforeAll(async () => {
  rig = await startRig(random);
  stage = await Stage.set(rig, random);
});

afterEach(() => stage.putRight());

afterAll(async () => {
  await rig.stop();
});

type Row = readonly [title: string, spoil: () => Promise<void>, code: string, reason: string];

const spoilSegment = async (change: (body: Buffer) => Buffer | Promise<Buffer>) => {
  const { blob } = await stage.ref(2);
  await stage.spoil(blob, await change(await stage.body(blob)));
};

const replaceSegment = (by: () => Promise<string>) => spoilSegment(async () => stage.body(await by()));

const flipBit = (body: Buffer) => {
  const at = random.int(body.length);
  body[at] = (body[at] ?? 0) ^ (1 << random.int(8));
  return body;
};

const torn = (body: Buffer) => body.subarray(0, random.int(body.length - 1));

const segments: readonly Row[] = [
  ['is gone', async () => stage.spoil((await stage.ref(2)).blob, null), 'DR_JOURNAL_GAP', 'does not exist'],
  ['has a flipped bit', () => spoilSegment(flipBit), 'DR_SEGMENT_CORRUPT', ''],
  ['is cut short', () => spoilSegment(torn), 'DR_SEGMENT_CORRUPT', 'torn'],
  [
    'is longer',
    () => spoilSegment((body) => Buffer.concat([body, body])),
    'DR_SEGMENT_CORRUPT',
    'neither unit nor trailer',
  ],
  [
    'is the one before it',
    () => replaceSegment(async () => (await stage.ref(1)).blob),
    'DR_SEGMENT_CORRUPT',
    'differs from the barrier',
  ],
  [
    'is the one behind it',
    () => replaceSegment(async () => (await stage.ref(3)).blob),
    'DR_SEGMENT_CORRUPT',
    'differs from the barrier',
  ],
  [
    'is that of another disk',
    () => replaceSegment(async () => (await stage.ref(2, 1)).blob),
    'DR_SEGMENT_CORRUPT',
    'differs from the barrier',
  ],
  [
    'is that of another item',
    () => replaceSegment(async () => (await stage.ref(2, 0, stage.stranger)).blob),
    'DR_SEGMENT_CORRUPT',
    'differs from the barrier',
  ],
  [
    'is authentic, and of an attempt with an older epoch',
    () =>
      spoilSegment(async () => forgedSegment({ ...(await stage.header(2)), epoch: 1 }, stage.machine.key)),
    'DR_SEGMENT_CORRUPT',
    'differs from the barrier',
  ],
  [
    'is sealed in another vault',
    () => spoilSegment(async () => forgedSegment(await stage.header(2), stage.otherKey)),
    'DR_SEGMENT_CORRUPT',
    'differs from the barrier',
  ],
];

/** Defence in depth: even a barrier that was signed with the right key cannot make these part of the stream. */
const named: readonly Row[] = [
  [
    'is that of another disk',
    async () => {
      const { diskId = '' } = stage.machine.disks[1] ?? {};
      const header = { ...(await stage.header(2)), diskId: diskId as never };
      await stage.nameInstead(forgedSegment(header, stage.machine.key));
    },
    'DR_SEGMENT_CORRUPT',
    'it belongs to disk',
  ],
  [
    'has an older sequence number',
    async () =>
      stage.nameInstead(forgedSegment({ ...(await stage.header(2)), firstSeq: 1 }, stage.machine.key)),
    'DR_SEGMENT_CORRUPT',
    'sequence numbers differ',
  ],
  [
    'follows another segment',
    async () =>
      stage.nameInstead(
        forgedSegment({ ...(await stage.header(2)), prevHash: 'ab'.repeat(32) }, stage.machine.key),
      ),
    'DR_JOURNAL_GAP',
    'does not follow',
  ],
  [
    'leaves sequence numbers out',
    async () => {
      const header = await stage.header(2);
      const firstSeq = header.firstSeq + 1;
      await stage.nameInstead(forgedSegment({ ...header, firstSeq }, stage.machine.key), {
        firstSeq,
        lastSeq: firstSeq,
      });
    },
    'DR_JOURNAL_GAP',
    'does not follow',
  ],
  [
    'is sealed in another vault',
    async () => stage.nameInstead(forgedSegment(await stage.header(2), stage.otherKey)),
    'DR_KEY_MISSING',
    'another data key',
  ],
  [
    'writes behind the end of the disk',
    async () => stage.nameInstead(forgedSegment(await stage.header(2), stage.machine.key, 2 ** 20)),
    'DR_SEGMENT_CORRUPT',
    'outside the disk',
  ],
  [
    'is left out',
    () =>
      stage.resign((barrier) => ({
        ...barrier,
        disks: barrier.disks.map((disk) => ({ ...disk, segments: [] })),
      })),
    'DR_JOURNAL_GAP',
    'do not end where the barrier says',
  ],
  [
    'comes twice',
    () =>
      stage.resign((barrier) => ({
        ...barrier,
        disks: barrier.disks.map((disk) => ({ ...disk, segments: [...disk.segments, ...disk.segments] })),
      })),
    'DR_JOURNAL_GAP',
    'does not follow',
  ],
];

const spoilBarrier = async (change: (body: Buffer) => Buffer) =>
  stage.spoil(stage.barrierName(2), change(await stage.body(stage.barrierName(2))));

const barriers: readonly Row[] = [
  ['is gone', () => stage.spoil(stage.barrierName(2), null), 'DR_JOURNAL_GAP', 'barrier 2 does not exist'],
  ['has a flipped bit', () => spoilBarrier(flipBit), 'DR_JOURNAL_GAP', 'is altered'],
  ['is cut short', () => spoilBarrier(torn), 'DR_JOURNAL_GAP', 'is altered'],
  [
    'is the one before it',
    async () => stage.spoil(stage.barrierName(2), await stage.body(stage.barrierName(1))),
    'DR_JOURNAL_GAP',
    'is altered',
  ],
  [
    'is the one behind it',
    async () => stage.spoil(stage.barrierName(2), await stage.body(stage.barrierName(3))),
    'DR_JOURNAL_GAP',
    'is altered',
  ],
  [
    'is that of another item',
    async () => stage.spoil(stage.barrierName(2), await stage.body(stage.barrierName(2, stage.stranger))),
    'DR_JOURNAL_GAP',
    'is altered',
  ],
  [
    'is signed in another vault',
    () => stage.resign((barrier) => barrier, stage.otherKey),
    'DR_JOURNAL_GAP',
    'is altered',
  ],
  [
    'has no signature',
    async () => stage.spoil(stage.barrierName(2), Buffer.from(JSON.stringify(await stage.barrier(2)))),
    'DR_JOURNAL_GAP',
    'is altered',
  ],
  [
    'says it is of an older epoch, under its old signature',
    () => spoilBarrier((body) => Buffer.from(body.toString().replace('"epoch":2', '"epoch":1'))),
    'DR_JOURNAL_GAP',
    'is altered',
  ],
];

/** Nothing behind barrier 1 is on the disk or among the points, and the refusal says why. */
async function expectRefusal(spoil: () => Promise<void>, code: string, reason: string): Promise<void> {
  const before = await stage.replica();
  await spoil();
  await expect(stage.apply()).rejects.toMatchObject({ code, message: expect.stringContaining(reason) });
  expect(await stage.replica()).toEqual(before);
  expect(await stage.points()).toEqual([1]);
}

describe('a segment', () => {
  test.each(segments)('that %s is refused by name', async (_title, spoil, code, reason) => {
    await expectRefusal(spoil, code, reason);
  });

  test.each(named)(
    'that %s is refused although its barrier names it',
    async (_title, spoil, code, reason) => {
      await expectRefusal(spoil, code, reason);
    },
  );
});

test.each(barriers)('a barrier that %s is refused by name', async (_title, spoil, code, reason) => {
  await expectRefusal(spoil, code, reason);
});

describe('once everything was put right', () => {
  beforeAll(async () => {
    await stage.apply();
    await stage.applyStranger();
  });

  test('what waited is applied as if nothing had happened', async () => {
    expect(await stage.points()).toEqual([1, 2, 3]);
    await stage.checkPoints();
  });

  const spoilPoint = async (change: (body: Buffer) => Buffer | Promise<Buffer>) => {
    const name = await stage.manifestName(3);
    await stage.spoil(name, await change(await stage.body(name)));
  };
  const unsigned = (body: Buffer) => {
    const { mac: _, ...record } = JSON.parse(body.toString()) as Record<string, unknown>;
    return record;
  };

  test.each<readonly [string, () => Promise<void>]>([
    ['has a flipped bit', () => spoilPoint(flipBit)],
    ['is cut short', () => spoilPoint(torn)],
    ['is that of an older point', () => spoilPoint(async () => stage.body(await stage.manifestName(2)))],
    [
      'is that of another item',
      () => spoilPoint(async () => stage.body(await stage.manifestName(3, stage.stranger))),
    ],
    ['is signed in another vault', () => spoilPoint((body) => signRecord(unsigned(body), stage.otherKey))],
    ['has no signature', () => spoilPoint((body) => Buffer.from(JSON.stringify(unsigned(body))))],
  ])('a manifest that %s is no point, and is not taken for one that was made', async (_title, spoil) => {
    await spoil();
    expect(await stage.points()).toEqual([1, 2]);
    await expect(stage.apply()).rejects.toMatchObject({
      code: 'DR_JOURNAL_GAP',
      message: expect.stringContaining('the manifest is altered'),
    });
  });
});
