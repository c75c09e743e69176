import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { PIN_DAYS_MAX, pinPoint, pinnedPoints, unpinPoint, unpinRun } from '../../dataplane/pins.ts';
import { deleteOtherPoints, listPoints, pagePoints, prunePoints } from '../../dataplane/points.ts';
import { asId } from '../../domain/ids.ts';
import type { ProtectedItemId, RecoveryPointId, RunId } from '../../domain/ids.ts';
import { blobNames, recoveryPointId } from '../../domain/names.ts';
import type { Consistency, RecoveryPoint } from '../../domain/replication.ts';
import { MiB } from '../../domain/units.ts';
import { seededRandom } from './support/random.ts';
import type { Machine, Rig } from './support/rig.ts';
import { apply, hashesNow, hashesOf, replicated, scribble, ship, startRig, watched } from './support/rig.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const NOW_MS = Date.UTC(2030, 5, 1);
const random = seededRandom('points');
const run = asId<RunId>('drill-1');
let rig: Rig;
let items = 0;

beforeAll(async () => {
  rig = await startRig(random);
});

afterAll(async () => {
  await rig.stop();
});

/** Manifests alone, of the ages given in hours, newest last. */
async function manifests(
  ages: readonly number[],
  consistency: (index: number) => Consistency = () => 'crash',
): Promise<{ item: ProtectedItemId; points: RecoveryPoint[] }> {
  items += 1;
  const item = asId<ProtectedItemId>(`item-of-manifests-${items}`);
  const points = ages.map((age, index): RecoveryPoint => {
    const sourceTime = new Date(NOW_MS - age * HOUR_MS).toISOString();
    return {
      version: 1,
      pointId: recoveryPointId(index + 1),
      itemId: item,
      barrierNumber: index + 1,
      consistency: consistency(index),
      sourceTime,
      durableTime: sourceTime,
      processedTime: sourceTime,
      snapshotName: 's',
      disks: [],
    };
  });
  for (const point of points) {
    const name = blobNames.point(item, point.sourceTime, point.pointId);
    await rig.storage.putOnce(name, Buffer.from(JSON.stringify(point)));
  }
  return { item, points };
}

async function ids(item: ProtectedItemId): Promise<RecoveryPointId[]> {
  return (await listPoints(rig.storage, item)).map((point) => point.pointId);
}

const p = recoveryPointId;

describe('pages', () => {
  test('come newest first, one behind the other, without reading more manifests than they show', async () => {
    const { item, points } = await manifests(Array.from({ length: 7 }, (_, index) => 7 - index));
    let reads = 0;
    const storage = watched(rig.storage, (what) => {
      if (what === 'get') reads += 1;
    });
    const seen: RecoveryPoint[] = [];
    let after: RecoveryPointId | undefined;
    for (let page = 1; page <= 3; page += 1) {
      const shown = await pagePoints(storage, item, { limit: 3, ...(after === undefined ? {} : { after }) });
      seen.push(...shown.items);
      expect(reads).toBe(Math.min(7, 3 * page));
      after = shown.nextCursor;
    }
    expect(after).toBeUndefined();
    expect(seen).toEqual(points.toReversed());
  });

  test('go on where they were although the point named is gone', async () => {
    const { item } = await manifests([4, 3, 2, 1]);
    await deleteOtherPoints(rig.storage, item, p(1), NOW_MS);
    expect(
      (await pagePoints(rig.storage, item, { after: p(3), limit: 9 })).items.map((one) => one.pointId),
    ).toEqual([p(1)]);
  });

  test('and lists leave out a point whose manifest is damaged, and nothing else', async () => {
    const { item, points } = await manifests([3, 2, 1]);
    await rig.storage.put(
      blobNames.point(item, points[1]?.sourceTime ?? '', p(2)),
      Buffer.from('{"version":1'),
    );
    await rig.storage.put(`${blobNames.pointPrefix(item)}stray.json`, Buffer.from('{}'));
    expect(await ids(item)).toEqual([p(3), p(1)]);
    expect((await pagePoints(rig.storage, item, { limit: 2 })).nextCursor).toBe(p(2));
  });
});

describe('retention', () => {
  test('reads only the manifests that it decides about', async () => {
    const ages = [30, 20.6, 20.3, 10, 5, 1.5, 1, 0.5, 0];
    const { item } = await manifests(ages, (index) => (index === 2 ? 'application' : 'crash'));
    let reads = 0;
    const storage = watched(rig.storage, (what) => {
      if (what === 'get') reads += 1;
    });
    const { deleted } = await prunePoints(storage, item, { retentionHours: 24 }, NOW_MS);
    expect(deleted).toEqual([p(1), p(2)]);
    // Three that are old or share an hour, and the two that go once more.
    expect(reads).toBe(5);
    expect(await prunePoints(rig.storage, item, { retentionHours: 24 }, NOW_MS)).toEqual({ deleted: [] });
  });

  test('removes a point whose manifest is damaged as any other', async () => {
    const { item, points } = await manifests([9, 8, 0]);
    await rig.storage.put(blobNames.point(item, points[0]?.sourceTime ?? '', p(1)), Buffer.from('torn'));
    await prunePoints(rig.storage, item, { retentionHours: 2 }, NOW_MS);
    expect(await ids(item)).toEqual([p(3)]);
  });
});

describe('a pinned point', () => {
  test('outlives retention and commit until its last pin is gone', async () => {
    const { item } = await manifests([50, 40, 30, 0]);
    const other = asId<RunId>('drill-2');
    await pinPoint(rig.storage, item, p(2), run);
    await pinPoint(rig.storage, item, p(2), other);
    await pinPoint(rig.storage, item, p(2), other);
    const now = Date.now();
    expect(await deleteOtherPoints(rig.storage, item, p(4), now)).toEqual({ deleted: [p(1), p(3)] });
    await unpinPoint(rig.storage, item, p(2), run);
    await unpinPoint(rig.storage, item, p(2), run);
    expect(await prunePoints(rig.storage, item, { retentionHours: 0 }, now)).toEqual({ deleted: [] });
    expect(await pinnedPoints(rig.storage, item, now)).toEqual(new Set([p(2)]));
    await unpinPoint(rig.storage, item, p(2), other);
    expect(await prunePoints(rig.storage, item, { retentionHours: 0 }, now)).toEqual({ deleted: [p(2)] });
  });

  test('is let go by what removes a run that ended without saying so', async () => {
    const { item } = await manifests([50, 0]);
    const [displaced, other] = [asId<RunId>('drill-10'), asId<RunId>('drill-11')];
    for (const point of [p(1), p(2)]) await pinPoint(rig.storage, item, point, displaced);
    await pinPoint(rig.storage, item, p(2), other);
    await unpinRun(rig.storage, displaced);
    expect(await pinnedPoints(rig.storage, item, Date.now())).toEqual(new Set([p(2)]));
    expect(await rig.storage.get(blobNames.pin(item, p(2), displaced))).toBeNull();
  });

  test('is an ordinary one after seven days', async () => {
    const { item } = await manifests([50, 0]);
    await pinPoint(rig.storage, item, p(1), run);
    const soon = Date.now() + PIN_DAYS_MAX * DAY_MS - HOUR_MS;
    expect(await pinnedPoints(rig.storage, item, soon)).toEqual(new Set([p(1)]));
    expect(await pinnedPoints(rig.storage, item, soon + 2 * HOUR_MS)).toEqual(new Set());
    expect(await rig.storage.get(blobNames.pin(item, p(1), run))).toBeNull();
  });

  test('cannot be one that does not exist', async () => {
    const { item } = await manifests([1]);
    await expect(pinPoint(rig.storage, item, p(2), run)).rejects.toMatchObject({ code: 'DR_POINT_UNKNOWN' });
    expect(await rig.storage.get(blobNames.pin(item, p(2), run))).toBeNull();
  });

  test('is whole or unknown, whenever retention and pin meet', async () => {
    for (let step = 1; step <= 12; step += 1) {
      const machine = await replicatedTwice();
      let calls = 0;
      let pinning: Promise<unknown> | undefined;
      const storage = watched(rig.storage, (what) => {
        calls += 1;
        if (calls === step) pinning = pinPoint(rig.storage, machine.item, p(1), run).catch((error) => error);
        // These answer at once.
        return what === 'list' || what === 'replica' ? undefined : pinning;
      });
      await prunePoints(storage, machine.item, { retentionHours: 0 }, Date.now());
      const outcome = await pinning;
      const [point] = (await listPoints(rig.storage, machine.item)).filter((one) => one.pointId === p(1));
      if (outcome instanceof Error) {
        expect(outcome).toMatchObject({ code: 'DR_POINT_UNKNOWN' });
      } else if (pinning !== undefined) {
        if (point === undefined) throw new Error('a pinned point is gone');
        expect(await hashesOf(rig, machine, point)).toEqual(machine.first);
      }
    }
  });

  test('keeps its snapshots when new points are made, even without its manifest', async () => {
    const machine = await replicatedTwice();
    const [, oldest] = await listPoints(rig.storage, machine.item);
    if (oldest === undefined) throw new Error('no point');
    await pinPoint(rig.storage, machine.item, oldest.pointId, run);
    await rig.storage.delete(blobNames.point(machine.item, oldest.sourceTime, oldest.pointId));
    await ship(rig, machine, 3);
    await apply(rig, machine, 3);
    expect(await hashesOf(rig, machine, oldest)).toEqual(machine.first);
    await unpinPoint(rig.storage, machine.item, oldest.pointId, run);
    await ship(rig, machine, 4);
    await apply(rig, machine, 4);
    await expect(hashesOf(rig, machine, oldest)).rejects.toMatchObject({ code: 'DR_STORAGE_REFUSED' });
  });
});

/** Points 1 and 2, with the hashes of the first. */
async function replicatedTwice(): Promise<Machine & { readonly first: string[] }> {
  const machine = await replicated(rig, random, [MiB]);
  const first = hashesNow(machine);
  await scribble(machine, random, MiB);
  await ship(rig, machine, 2);
  await apply(rig, machine, 2);
  return { ...machine, first };
}
