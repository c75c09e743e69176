import { access, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { latestBarrier, readBarrier } from '../../dataplane/journal/barriers.ts';
import { SEGMENT_WIRE_BYTES_MAX } from '../../dataplane/segment/layout.ts';
import { deletePoint, listPoints } from '../../dataplane/points.ts';
import { blobNames } from '../../domain/names.ts';
import type { DiskSource } from '../../domain/ports.ts';
import type { Extent, ReplicationProgress } from '../../domain/replication.ts';
import { GiB, KiB, MiB, azureDiskBytes } from '../../domain/units.ts';
import { seededRandom } from './support/random.ts';
import type { Machine, Rig } from './support/rig.ts';
import {
  apply,
  hashesNow,
  hashesOf,
  never,
  scribble,
  ship,
  startRig,
  watched,
  wholeDisks,
} from './support/rig.ts';

const random = seededRandom('replication');
let rig: Rig;

beforeAll(async () => {
  rig = await startRig(random);
});

afterAll(async () => {
  await rig.stop();
});

const segmentsOf = async (machine: Machine, number: number) =>
  (await readBarrier(rig.storage, machine.item, number))?.disks.flatMap((disk) => disk.segments) ?? [];

const cacheIn = (folder: string) => ({
  folder: path.join(rig.cacheFolder, folder),
  freeBytesMin: 0,
  bytesMax: GiB,
});

/** A machine whose first replication is applied as point p000001. */
async function replicated(capacities: readonly number[]): Promise<Machine> {
  const machine = await rig.machine(capacities);
  for (let count = 0; count < 6; count += 1) await scribble(machine, random, MiB);
  wholeDisks(machine);
  await ship(rig, machine, 1, { skipZeros: true });
  await apply(rig, machine, 1);
  return machine;
}

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

describe('shipping and applying', () => {
  test('every recovery point equals the source at its time', async () => {
    // Neither capacity is a whole number of MiB.
    const machine = await rig.machine([5 * MiB + 512 * 37, 2 * MiB + 512]);
    const expected = new Map<number, string[]>();
    for (let count = 0; count < 10; count += 1) await scribble(machine, random, MiB);
    wholeDisks(machine);
    for (let barrier = 1; barrier <= 6; barrier += 1) {
      await ship(rig, machine, barrier, { skipZeros: barrier === 1 });
      expected.set(barrier, hashesNow(machine));
      if (random.int(2) === 0) await apply(rig, machine, 100 + barrier);
      for (let count = random.int(5); count > 0; count -= 1) await scribble(machine, random, 512 * KiB);
    }
    const last = await apply(rig, machine, 200);
    expect(last).toMatchObject({ appliedBarrier: 6, moreWaiting: false });
    const points = await listPoints(rig.storage, machine.item);
    expect(points.map((point) => point.barrierNumber)).toEqual([6, 5, 4, 3, 2, 1]);
    for (const point of points) {
      expect(await hashesOf(rig, machine, point)).toEqual(expected.get(point.barrierNumber));
    }
  });

  test('a first replication in several barriers gives one point and can be resumed from them', async () => {
    const machine = await rig.machine([4 * MiB]);
    const [disk] = machine.disks;
    if (disk === undefined) throw new Error('no disk');
    await disk.write(0, random.bytes(4 * MiB), 4 * MiB);
    disk.changed = [{ offset: 0, length: 2 * MiB }];
    const resumeOffsets = { [disk.diskId]: 2 * MiB };
    await ship(rig, machine, 1, { kind: 'progress', resumeOffsets });
    expect((await latestBarrier(rig.storage, machine.item))?.resumeOffsets).toEqual(resumeOffsets);
    disk.changed = [{ offset: 2 * MiB, length: 2 * MiB }];
    await ship(rig, machine, 2, { cycle: 'initial' });
    const { points } = await apply(rig, machine, 1);
    expect(points.map((point) => point.barrierNumber)).toEqual([2]);
    for (const point of points) expect(await hashesOf(rig, machine, point)).toEqual(hashesNow(machine));
  });

  test('ranges that became zero are zero in the replica, and take no room there', async () => {
    const machine = await rig.machine([4 * MiB]);
    const [disk] = machine.disks;
    if (disk === undefined) throw new Error('no disk');
    await disk.write(0, random.bytes(4 * MiB), 4 * MiB);
    await ship(rig, machine, 1);
    await disk.write(MiB, null, 2 * MiB);
    await disk.write(512, null, 4 * KiB);
    await ship(rig, machine, 2);
    const { points } = await apply(rig, machine, 1);
    const newest = points.at(-1);
    if (newest === undefined) throw new Error('no point');
    expect(await hashesOf(rig, machine, newest)).toEqual(hashesNow(machine));
    const held: Extent[] = [];
    for await (const extent of rig.storage
      .replica(blobNames.replica(machine.item, disk.diskId))
      .ranges(null)) {
      held.push(extent);
    }
    const inside = (extent: Extent) => extent.offset >= MiB && extent.offset < 3 * MiB;
    expect(held.filter(inside)).toEqual([]);
  });

  test('an empty delta is a barrier without segments and still a recovery point', async () => {
    const machine = await replicated([MiB]);
    const { barrier } = await ship(rig, machine, 2);
    expect(barrier.disks.flatMap((disk) => disk.segments)).toEqual([]);
    expect(barrier.disks[0]?.changeId).toBe('52 de/2');
    const { points } = await apply(rig, machine, 2);
    expect(points.map((point) => point.barrierNumber)).toEqual([2]);
  });

  test('holes are not read and an empty replica gets no record of zeros', async () => {
    const machine = await rig.machine([64 * MiB]);
    const [disk] = machine.disks;
    await disk?.write(40 * MiB, Buffer.alloc(128 * KiB, 'x'), 128 * KiB);
    wholeDisks(machine);
    const seen: ReplicationProgress[] = [];
    const { barrier } = await ship(rig, machine, 1, {
      skipZeros: true,
      onProgress: (progress) => seen.push(progress),
    });
    expect(barrier.disks[0]?.readBytes).toBe(128 * KiB);
    expect(barrier.disks[0]?.segments[0]?.rawBytes).toBe(128 * KiB);
    expect(seen.at(-1)).toMatchObject({
      phase: 'initial',
      totalBytes: 64 * MiB,
      doneBytes: 64 * MiB,
      readBytes: 128 * KiB,
      wireBytes: barrier.disks[0]?.segments[0]?.wireBytes,
    });
  });

  test('a long disk becomes a chain of bounded segments through a cache smaller than it', async () => {
    const machine = await rig.machine([20 * MiB + 512]);
    const [disk] = machine.disks;
    await disk?.write(0, random.bytes(20 * MiB + 512), 20 * MiB + 512);
    const cache = { folder: rig.cacheFolder, freeBytesMin: 0, bytesMax: 1 };
    await ship(rig, machine, 1, { cache });
    const segments = await segmentsOf(machine, 1);
    expect(segments.length).toBe(3);
    expect(Math.max(...segments.map((segment) => segment.wireBytes))).toBeLessThanOrEqual(
      SEGMENT_WIRE_BYTES_MAX,
    );
    const { points } = await apply(rig, machine, 1);
    for (const point of points) expect(await hashesOf(rig, machine, point)).toEqual(hashesNow(machine));
    expect(await rig.cached()).toEqual([]);
  });

  test('changed areas may come as a stream and lie beyond the end', async () => {
    const machine = await replicated([2 * MiB + 512]);
    const [disk] = machine.disks;
    if (disk === undefined) throw new Error('no disk');
    await disk.write(MiB, random.bytes(4 * KiB), 4 * KiB);
    async function* areas() {
      yield { offset: MiB, length: 64 * KiB };
      yield { offset: MiB + 96 * KiB, length: 32 * KiB };
      yield { offset: 2 * MiB, length: 64 * KiB };
    }
    const [tail] = (await latestBarrier(rig.storage, machine.item))?.disks.map((entry) => entry.tail) ?? [];
    if (tail === undefined) throw new Error('no tail');
    const { diskId, source } = disk;
    await ship(rig, machine, 2, {
      disks: [{ diskId, source, extents: areas(), tail, changeId: null, skipZeros: false }],
    });
    const { points } = await apply(rig, machine, 2);
    for (const point of points) expect(await hashesOf(rig, machine, point)).toEqual(hashesNow(machine));
  });

  test('a disk is read with a few requests in flight, never more', async () => {
    const machine = await rig.machine([16 * MiB]);
    const [disk] = machine.disks;
    if (disk === undefined) throw new Error('no disk');
    await disk.write(0, Buffer.alloc(16 * MiB, 'read me '), 16 * MiB);
    const reads = { now: 0, max: 0 };
    const source: DiskSource = {
      ...disk.source,
      async read(offset, into, signal) {
        reads.now += 1;
        reads.max = Math.max(reads.max, reads.now);
        await disk.source.read(offset, into, signal);
        reads.now -= 1;
      },
    };
    const { diskId, changed: extents } = disk;
    const tail = { nextSeq: 1, hash: '0'.repeat(64) };
    await ship(rig, machine, 1, {
      disks: [{ diskId, source, extents, tail, changeId: null, skipZeros: true }],
    });
    expect(reads.max).toBeGreaterThan(1);
    expect(reads.max).toBeLessThanOrEqual(4);
  });

  test('the replica is a fixed VHD of a whole number of MiB', async () => {
    const machine = await replicated([3 * MiB - 512]);
    const [disk] = machine.disks;
    if (disk === undefined) throw new Error('no disk');
    const replica = rig.storage.replica(blobNames.replica(machine.item, disk.diskId));
    expect((await replica.properties())?.bytes).toBe(azureDiskBytes(3 * MiB - 512) + 512);
    const footer = Buffer.from(await replica.read(null, 3 * MiB, 512));
    expect(footer.toString('latin1', 0, 8)).toBe('conectix');
    expect(footer.readBigUInt64BE(48)).toBe(BigInt(3 * MiB));
  });
});

describe('attempts that race or die', () => {
  test('of two attempts exactly one makes the barrier and both end with it', async () => {
    const machine = await replicated([2 * MiB]);
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
    const machine = await replicated([MiB]);
    await ship(rig, machine, 9);
    await expect(ship(rig, machine, 8)).rejects.toMatchObject({ code: 'DR_REPLICATION_FENCED' });
    expect((await latestBarrier(rig.storage, machine.item))?.number).toBe(2);
  });

  test('an older attempt that still applies can write no page once a newer one has begun', async () => {
    const machine = await replicated([6 * MiB]);
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

  test('applying that is killed again and again converges, and leaves no snapshot behind', async () => {
    const machine = await replicated([3 * MiB, MiB + 512]);
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
    const machine = await replicated([2 * MiB]);
    const calls: string[] = [];
    const storage = watched(rig.storage, (what) => {
      calls.push(what);
    });
    expect(await apply(rig, machine, 2, { storage })).toEqual({
      appliedBarrier: 1,
      points: [],
      moreWaiting: false,
    });
    expect(calls).not.toContain('write');
    expect(calls).not.toContain('snapshot');
    expect(calls).not.toContain('putOnce');
  });

  test('a limit on barriers leaves the rest waiting', async () => {
    const machine = await replicated([MiB]);
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

describe('the cache', () => {
  test('nothing is shipped below the free-space floor', async () => {
    const machine = await rig.machine([MiB]);
    await machine.disks[0]?.write(0, random.bytes(MiB), MiB);
    const cache = { folder: rig.cacheFolder, freeBytesMin: 2 ** 60, bytesMax: GiB };
    await expect(ship(rig, machine, 1, { cache })).rejects.toMatchObject({
      code: 'DR_CACHE_DISK_FULL',
      context: { path: rig.cacheFolder, neededMiB: 2 ** 40 },
    });
    expect(await latestBarrier(rig.storage, machine.item)).toBeNull();
  });

  test('what dead attempts of the item left there is removed', async () => {
    const machine = await rig.machine([MiB]);
    const dead = path.join(rig.cacheFolder, machine.item, '3');
    await mkdir(dead, { recursive: true });
    await writeFile(path.join(dead, '1.seg'), 'torn');
    await ship(rig, machine, 4);
    await expect(access(dead)).rejects.toMatchObject({ code: 'ENOENT' });
  });
});

describe('what is damaged or missing', () => {
  async function replaceBlob(name: string, change: (body: Buffer) => Buffer): Promise<void> {
    const stored = await rig.storage.get(name, never);
    if (stored === null) throw new Error(`${name} does not exist`);
    await rig.storage.delete(name);
    await rig.storage.putOnce(name, change(Buffer.from(stored.body)));
  }

  async function withSecondBarrier(): Promise<{ machine: Machine; segment: string }> {
    const machine = await replicated([MiB]);
    await machine.disks[0]?.write(0, random.bytes(16 * KiB), 16 * KiB);
    await ship(rig, machine, 2);
    const [segment] = await segmentsOf(machine, 2);
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

test('a deleted point takes its snapshots along', async () => {
  const machine = await replicated([MiB]);
  await ship(rig, machine, 2);
  await apply(rig, machine, 2);
  const [newest, oldest] = await listPoints(rig.storage, machine.item);
  if (newest === undefined || oldest === undefined) throw new Error('no points');
  await deletePoint(rig.storage, oldest);
  await deletePoint(rig.storage, oldest);
  expect(await listPoints(rig.storage, machine.item)).toEqual([newest]);
  const [disk] = newest.disks;
  const snapshots = await rig.storage.replica(disk?.replicaBlob ?? '').snapshots();
  expect(snapshots.map((snapshot) => snapshot.snapshotId)).toEqual([disk?.snapshotId]);
});
