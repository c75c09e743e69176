import { access, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { latestBarrier } from '../../dataplane/journal/barriers.ts';
import { SEGMENT_WIRE_BYTES_MAX } from '../../dataplane/segment/layout.ts';
import { deletePoint, listPoints } from '../../dataplane/points.ts';
import { blobNames } from '../../domain/names.ts';
import type { DiskSource } from '../../domain/ports.ts';
import type { Extent, ReplicationProgress } from '../../domain/replication.ts';
import { GiB, KiB, MiB, azureDiskBytes } from '../../domain/units.ts';
import { seededRandom } from './support/random.ts';
import type { Rig } from './support/rig.ts';
import {
  apply,
  hashesNow,
  hashesOf,
  replicated,
  scribble,
  segmentsOf,
  ship,
  startRig,
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
    const machine = await replicated(rig, random, [MiB]);
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
    const segments = await segmentsOf(rig, machine, 1);
    // More where the machine is slow: a segment also closes after half a second.
    expect(segments.length).toBeGreaterThanOrEqual(3);
    expect(Math.max(...segments.map((segment) => segment.wireBytes))).toBeLessThanOrEqual(
      SEGMENT_WIRE_BYTES_MAX,
    );
    const { points } = await apply(rig, machine, 1);
    for (const point of points) expect(await hashesOf(rig, machine, point)).toEqual(hashesNow(machine));
    expect(await rig.cached()).toEqual([]);
  });

  test('changed areas may come as a stream and lie beyond the end', async () => {
    const machine = await replicated(rig, random, [2 * MiB + 512]);
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
    const { capacityBytes } = source;
    await ship(rig, machine, 2, {
      disks: [{ diskId, capacityBytes, source, extents: areas(), tail, changeId: null, skipZeros: false }],
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
    const { capacityBytes } = source;
    const tail = { nextSeq: 1, hash: '0'.repeat(64) };
    await ship(rig, machine, 1, {
      disks: [{ diskId, capacityBytes, source, extents, tail, changeId: null, skipZeros: true }],
    });
    expect(reads.max).toBeGreaterThan(1);
    expect(reads.max).toBeLessThanOrEqual(4);
  });

  test('the replica is a fixed VHD of a whole number of MiB', async () => {
    const machine = await replicated(rig, random, [3 * MiB - 512]);
    const [disk] = machine.disks;
    if (disk === undefined) throw new Error('no disk');
    const replica = rig.storage.replica(blobNames.replica(machine.item, disk.diskId));
    expect((await replica.properties())?.bytes).toBe(azureDiskBytes(3 * MiB - 512) + 512);
    const footer = Buffer.from(await replica.read(null, 3 * MiB, 512));
    expect(footer.toString('latin1', 0, 8)).toBe('conectix');
    expect(footer.readBigUInt64BE(48)).toBe(BigInt(3 * MiB));
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

test('a deleted point takes its snapshots along', async () => {
  const machine = await replicated(rig, random, [MiB]);
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
