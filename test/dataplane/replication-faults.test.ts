import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { latestBarrier } from '../../dataplane/journal/barriers.ts';
import { deletePoint, listPoints } from '../../dataplane/points.ts';
import { blobNames } from '../../domain/names.ts';
import { GiB, KiB, MiB } from '../../domain/units.ts';
import { seededRandom } from './support/random.ts';
import type { Machine, Rig } from './support/rig.ts';
import {
  apply,
  hashesNow,
  hashesOf,
  never,
  replicated,
  scribble,
  segmentsOf,
  ship,
  startRig,
  watched,
  wholeDisks,
} from './support/rig.ts';

const random = seededRandom('replication faults');
let rig: Rig;

beforeAll(async () => {
  rig = await startRig(random);
});

afterAll(async () => {
  await rig.stop();
});

const cacheIn = (folder: string) => ({
  folder: path.join(rig.cacheFolder, folder),
  freeBytesMin: 0,
  bytesMax: GiB,
});

/** Kills the attempt at every chance until one is left to finish. */
async function applyWithKills(machine: Machine, firstEpoch: number): Promise<number> {
  let epoch = firstEpoch;
  for (let step = 1 + random.int(3); ; step += 1 + random.int(6)) {
    const abort = new AbortController();
    let calls = 0;
    const storage = watched(rig.storage, () => {
      calls += 1;
      if (calls === step) abort.abort(new Error('killed'));
    });
    const outcome = await apply(rig, machine, epoch, { storage, signal: abort.signal }).catch(
      (error) => error,
    );
    epoch += 1;
    if (!(outcome instanceof Error)) return epoch;
  }
}

describe('attempts that race or die', () => {
  test('of two attempts exactly one makes the barrier and both end with it', async () => {
    const machine = await replicated(rig, random, [2 * MiB]);
    await scribble(machine, random, MiB);
    const outcomes = await Promise.all([
      ship(rig, machine, 5, { barrierNumber: 2, cache: cacheIn('one') }),
      ship(rig, machine, 6, { barrierNumber: 2, cache: cacheIn('other') }),
    ]);
    expect(outcomes.filter((outcome) => !outcome.adopted)).toHaveLength(1);
    expect(outcomes[0].barrier).toEqual(outcomes[1].barrier);
    const { points } = await apply(rig, machine, 2);
    for (const point of points) expect(await hashesOf(rig, machine, point)).toEqual(hashesNow(machine));
  });

  test('an older attempt on the same process server ends when a newer one begins', async () => {
    const machine = await rig.machine([12 * MiB]);
    const [disk] = machine.disks;
    await disk?.write(0, random.bytes(12 * MiB), 12 * MiB);
    let newer: Promise<unknown> | undefined;
    const older = ship(rig, machine, 1, {
      onProgress: () => {
        newer ??= ship(rig, machine, 2, { barrierNumber: 1 });
      },
    });
    const outcomes = await Promise.allSettled([older]);
    await newer;
    const barrier = await latestBarrier(rig.storage, machine.item);
    const [outcome] = outcomes;
    if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'DR_INTERNAL' });
    else expect(outcome.value.barrier).toEqual(barrier);
    const { points } = await apply(rig, machine, 3);
    for (const point of points) expect(await hashesOf(rig, machine, point)).toEqual(hashesNow(machine));
  });

  test('an attempt older than the last barrier makes no further one', async () => {
    const machine = await replicated(rig, random, [MiB]);
    await ship(rig, machine, 9);
    await expect(ship(rig, machine, 8)).rejects.toMatchObject({ code: 'DR_REPLICATION_FENCED' });
    expect((await latestBarrier(rig.storage, machine.item))?.number).toBe(2);
  });

  test('an older attempt that still applies can write no page once a newer one has begun', async () => {
    const machine = await replicated(rig, random, [6 * MiB]);
    for (const disk of machine.disks) await disk.write(0, random.bytes(6 * MiB), 6 * MiB);
    await ship(rig, machine, 2);
    let newer: Promise<unknown> | undefined;
    const storage = watched(rig.storage, (what) => {
      if (what !== 'write') return undefined;
      newer ??= apply(rig, machine, 51);
      return newer;
    });
    const older = await apply(rig, machine, 50, { storage }).catch((error) => error);
    expect(older).toMatchObject({ code: 'DR_REPLICATION_FENCED' });
    await expect(apply(rig, machine, 50)).rejects.toMatchObject({ code: 'DR_REPLICATION_FENCED' });
    const [point] = await listPoints(rig.storage, machine.item);
    if (point === undefined) throw new Error('no point');
    expect(await hashesOf(rig, machine, point)).toEqual(hashesNow(machine));
  });

  test('an older attempt that took its snapshots cannot bring back a point that was removed since', async () => {
    const machine = await replicated(rig, random, [MiB]);
    await ship(rig, machine, 2);
    let hasSnapshot = false;
    let newer: Promise<void> | undefined;
    const storage = watched(rig.storage, (what) => {
      if (hasSnapshot) {
        newer ??= (async () => {
          const { points } = await apply(rig, machine, 61);
          for (const point of points) await deletePoint(rig.storage, point);
        })();
      }
      hasSnapshot ||= what === 'snapshot';
      return what === 'list' ? undefined : newer;
    });
    await expect(apply(rig, machine, 60, { storage })).rejects.toMatchObject({
      code: 'DR_REPLICATION_FENCED',
    });
    const points = await listPoints(rig.storage, machine.item);
    expect(points.map((point) => point.barrierNumber)).toEqual([1]);
  });

  test('applying that is killed again and again converges, and leaves no snapshot behind', async () => {
    const machine = await replicated(rig, random, [3 * MiB, MiB + 512]);
    const expected = new Map([[1, hashesNow(machine)]]);
    for (let barrier = 2; barrier <= 3; barrier += 1) {
      for (let count = 0; count < 4; count += 1) await scribble(machine, random, MiB);
      await ship(rig, machine, barrier);
      expected.set(barrier, hashesNow(machine));
    }
    await applyWithKills(machine, 10);
    const points = await listPoints(rig.storage, machine.item);
    expect(points.map((point) => point.barrierNumber)).toEqual([3, 2, 1]);
    for (const point of points) {
      expect(await hashesOf(rig, machine, point)).toEqual(expected.get(point.barrierNumber));
    }
    for (const disk of machine.disks) {
      const snapshots = await rig.storage.replica(blobNames.replica(machine.item, disk.diskId)).snapshots();
      expect(snapshots).toHaveLength(3);
    }
  });

  test('applying again what is applied changes nothing', async () => {
    const machine = await replicated(rig, random, [2 * MiB]);
    const calls: string[] = [];
    const storage = watched(rig.storage, (what) => {
      calls.push(what);
    });
    expect(await apply(rig, machine, 2, { storage })).toEqual({
      appliedBarrier: 1,
      points: [],
      moreWaiting: false,
      lag: { bytes: 0, seconds: 0 },
    });
    expect(calls).not.toContain('write');
    expect(calls).not.toContain('snapshot');
    expect(calls).not.toContain('putOnce');
  });

  test('a limit on barriers leaves the rest waiting', async () => {
    const machine = await replicated(rig, random, [MiB]);
    for (let barrier = 2; barrier <= 4; barrier += 1) await ship(rig, machine, barrier);
    expect(await apply(rig, machine, 2, { barriersMax: 1 })).toMatchObject({
      appliedBarrier: 2,
      moreWaiting: true,
    });
    expect(await apply(rig, machine, 3, { upToBarrier: 3 })).toMatchObject({
      appliedBarrier: 3,
      moreWaiting: true,
    });
    expect(await apply(rig, machine, 4)).toMatchObject({ appliedBarrier: 4, moreWaiting: false });
  });

  test('a shipment that is stopped makes no barrier and leaves nothing in the cache', async () => {
    const machine = await rig.machine([12 * MiB]);
    const [disk] = machine.disks;
    await disk?.write(0, random.bytes(12 * MiB), 12 * MiB);
    const abort = new AbortController();
    const shipping = ship(rig, machine, 1, {
      signal: abort.signal,
      onProgress: ({ doneBytes }) => {
        if (doneBytes > 9 * MiB) abort.abort(new Error('stopped'));
      },
    });
    await expect(shipping).rejects.toThrow('stopped');
    expect(await latestBarrier(rig.storage, machine.item)).toBeNull();
    expect(await rig.cached()).toEqual([]);
    await ship(rig, machine, 2);
    expect((await latestBarrier(rig.storage, machine.item))?.epoch).toBe(2);
  });

  test('a source that fails ends the shipment with its error', async () => {
    const machine = await rig.machine([4 * MiB, 4 * MiB]);
    wholeDisks(machine);
    await machine.disks[1]?.source.close();
    await expect(ship(rig, machine, 1)).rejects.toMatchObject({ code: 'DR_REPLICATION_SOURCE_READ' });
    expect(await latestBarrier(rig.storage, machine.item)).toBeNull();
  });
});

test('a source of another size than the protected disk is refused before anything is shipped', async () => {
  const machine = await rig.machine([MiB, 2 * MiB]);
  wholeDisks(machine);
  const [first, second] = machine.disks;
  if (first === undefined || second === undefined) throw new Error('no disks');
  const grown = { ...machine, disks: [first, { ...second, model: Buffer.alloc(2 * MiB + 512) }] };
  const calls: string[] = [];
  const storage = watched(rig.storage, (what) => {
    calls.push(what);
  });
  await expect(ship(rig, grown, 1, { storage })).rejects.toMatchObject({
    code: 'DR_REPLICATION_SOURCE_READ',
    context: { disk: second.diskId, reason: `the source has ${2 * MiB} bytes, the disk ${2 * MiB + 512}` },
  });
  expect(calls).not.toContain('putOnce');
  expect(await rig.cached()).toEqual([]);
});

describe('what is damaged or missing', () => {
  async function replaceBlob(name: string, change: (body: Buffer) => Buffer): Promise<void> {
    const stored = await rig.storage.get(name, never);
    if (stored === null) throw new Error(`${name} does not exist`);
    await rig.storage.delete(name);
    await rig.storage.putOnce(name, change(Buffer.from(stored.body)));
  }

  async function withSecondBarrier(): Promise<{ machine: Machine; segment: string }> {
    const machine = await replicated(rig, random, [MiB]);
    await machine.disks[0]?.write(0, random.bytes(16 * KiB), 16 * KiB);
    await ship(rig, machine, 2);
    const [segment] = await segmentsOf(rig, machine, 2);
    if (segment === undefined) throw new Error('no segment');
    return { machine, segment: segment.blob };
  }

  test('a flipped bit makes no point, changes no page, and the message names the segment', async () => {
    const { machine, segment } = await withSecondBarrier();
    const [first] = await listPoints(rig.storage, machine.item);
    if (first === undefined) throw new Error('no point');
    const before = await hashesOf(rig, machine, first);
    await replaceBlob(segment, (body) => {
      const at = random.int(body.length);
      body[at] = (body[at] ?? 0) ^ (1 << random.int(8));
      return body;
    });
    await expect(apply(rig, machine, 2)).rejects.toMatchObject({
      code: 'DR_SEGMENT_CORRUPT',
      message: expect.stringContaining(segment),
    });
    const points = await listPoints(rig.storage, machine.item);
    expect(points.map((point) => point.barrierNumber)).toEqual([1]);
    expect(await hashesOf(rig, machine, first)).toEqual(before);
  });

  test('a torn segment is refused', async () => {
    const { machine, segment } = await withSecondBarrier();
    await replaceBlob(segment, (body) => body.subarray(0, body.length - 1 - random.int(body.length - 1)));
    await expect(apply(rig, machine, 2)).rejects.toMatchObject({
      code: 'DR_SEGMENT_CORRUPT',
      message: expect.stringContaining('torn'),
    });
  });

  test('a missing segment and a missing barrier are gaps', async () => {
    const { machine, segment } = await withSecondBarrier();
    await ship(rig, machine, 3);
    await rig.storage.delete(segment);
    await expect(apply(rig, machine, 2)).rejects.toMatchObject({ code: 'DR_JOURNAL_GAP' });
    await rig.storage.delete(blobNames.barrier(machine.item, 2));
    await expect(apply(rig, machine, 3)).rejects.toMatchObject({ code: 'DR_JOURNAL_GAP' });
    await rig.storage.delete(blobNames.barrier(machine.item, 3));
    await expect(ship(rig, machine, 4, { barrierNumber: 3 })).rejects.toMatchObject({
      code: 'DR_JOURNAL_GAP',
    });
  });

  test('a segment left out of its barrier is a gap', async () => {
    const { machine } = await withSecondBarrier();
    await replaceBlob(blobNames.barrier(machine.item, 2), (body) => {
      const barrier = JSON.parse(body.toString());
      barrier.disks[0].segments = [];
      return Buffer.from(JSON.stringify(barrier));
    });
    await expect(apply(rig, machine, 2)).rejects.toMatchObject({ code: 'DR_JOURNAL_GAP' });
  });
});
