import { createHash, createHmac } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { compareBlockBytes, differingExtents, hashBlocks } from '../../dataplane/compare/block-hashes.ts';
import type { BlockHashes } from '../../dataplane/compare/block-hashes.ts';
import { hashDisk } from '../../dataplane/compare/hash-disk.ts';
import {
  deleteBlockHashes,
  loadBlockHashes,
  saveBlockHashes,
} from '../../dataplane/compare/stored-hashes.ts';
import { latestBarrier, tailsAfter } from '../../dataplane/journal/barriers.ts';
import { openReplicaSource } from '../../dataplane/source/replica-source.ts';
import { coalesceExtents, extentEnd, totalBytes } from '../../domain/extents.ts';
import { asId } from '../../domain/ids.ts';
import type { DiskId } from '../../domain/ids.ts';
import { blobNames } from '../../domain/names.ts';
import type { DiskSource } from '../../domain/ports.ts';
import type { Extent } from '../../domain/replication.ts';
import { CHAIN_START } from '../../domain/replication.ts';
import { KiB, MiB } from '../../domain/units.ts';
import { seededRandom } from './support/random.ts';
import type { Machine, Rig, TestDisk } from './support/rig.ts';
import { apply, hashesNow, hashesOf, never, replicated, scribble, ship, startRig } from './support/rig.ts';

const random = seededRandom('compare');
/** The largest block: that of disks from 256 GiB on. */
const BLOCK_BYTES = 64 * KiB;
const key = random.bytes(32);
const quietly = { key, signal: never, onProgress: () => undefined };
let rig: Rig;

beforeAll(async () => {
  rig = await startRig(random);
});

afterAll(async () => {
  await rig.stop();
});

function onlyDisk(machine: Machine): TestDisk {
  const [disk] = machine.disks;
  if (disk === undefined) throw new Error('no disk');
  return disk;
}

async function differing(source: DiskSource, hashes: BlockHashes): Promise<Extent[]> {
  const found: Extent[] = [];
  for await (const extent of differingExtents(source, hashes, quietly)) found.push(extent);
  return found;
}

/** Compared byte by byte. */
function differingBlocks(one: Buffer, other: Buffer, blockBytes: number): Extent[] {
  const found: Extent[] = [];
  for (let offset = 0; offset < one.length; offset += blockBytes) {
    const length = Math.min(blockBytes, one.length - offset);
    if (one.compare(other, offset, offset + length, offset, offset + length) !== 0) {
      found.push({ offset, length });
    }
  }
  return coalesceExtents(found, 0);
}

/** The replica as it is now. */
function replicaOf(machine: Machine): DiskSource {
  const { diskId, model } = onlyDisk(machine);
  const replica = rig.storage.replica(blobNames.replica(machine.item, diskId));
  return openReplicaSource(replica, null, model.length);
}

describe('block hashes', () => {
  test('find exactly the blocks that differ, sorted and joined', async () => {
    for (let round = 0; round < 12; round += 1) {
      const capacity = 512 * (1 + random.int((3 * MiB) / 512));
      const blockBytes = 512 * 2 ** random.int(12);
      const machine = await rig.machine([capacity]);
      const disk = onlyDisk(machine);
      for (let count = random.int(5); count > 0; count -= 1) await scribble(machine, random, MiB);
      const before = Buffer.from(disk.model);
      const hashes = await hashBlocks(disk.source, { ...quietly, blockBytes, capacityBytes: capacity });
      for (let count = random.int(6); count > 0; count -= 1) await scribble(machine, random, 96 * KiB);
      expect(await differing(disk.source, hashes)).toEqual(differingBlocks(disk.model, before, blockBytes));
    }
  });

  test('are the same for a source and for its replica, whatever of it are holes', async () => {
    const machine = await replicated(rig, random, [6 * MiB + 512 * 5]);
    const { source, model } = onlyDisk(machine);
    const options = { ...quietly, blockBytes: BLOCK_BYTES, capacityBytes: model.length };
    const atSource = await hashBlocks(source, options);
    expect(await hashBlocks(replicaOf(machine), options)).toEqual(atSource);
    expect(await differing(replicaOf(machine), atSource)).toEqual([]);
  });

  test('are made without reading holes', async () => {
    const machine = await rig.machine([64 * MiB]);
    const disk = onlyDisk(machine);
    await disk.write(40 * MiB + 512, random.bytes(KiB), KiB);
    let readBytes = 0;
    const percents: (number | undefined)[] = [];
    const source: DiskSource = {
      ...disk.source,
      read(offset, into, signal) {
        readBytes += into.length;
        return disk.source.read(offset, into, signal);
      },
    };
    const capacityBytes = disk.model.length;
    const onProgress = (percent?: number) => void percents.push(percent);
    await hashBlocks(source, { key, signal: never, onProgress, blockBytes: BLOCK_BYTES, capacityBytes });
    expect(readBytes).toBe(BLOCK_BYTES);
    expect(percents.at(-1)).toBe(100);
  });

  test('of another key have nothing in common, and are SHA-256 behind 64 bytes that begin with a key', async () => {
    const machine = await rig.machine([MiB]);
    const disk = onlyDisk(machine);
    await disk.write(0, random.bytes(4 * KiB), 4 * KiB);
    const options = { ...quietly, blockBytes: 4 * KiB, capacityBytes: MiB };
    const { digests } = await hashBlocks(disk.source, options);
    const blocksKey = createHmac('sha256', key).update('blocks').digest();
    const message = Buffer.concat([blocksKey, Buffer.alloc(32), disk.model.subarray(0, 4 * KiB)]);
    const expected = createHash('sha256').update(message).digest().subarray(0, 16);
    expect(Buffer.from(digests).subarray(0, 16)).toEqual(expected);
    const others = await hashBlocks(disk.source, { ...options, key: random.bytes(32) });
    expect(await differing(disk.source, others)).toEqual([{ offset: 0, length: MiB }]);
  });

  test('are of small blocks where the disk is small, and never add up to much', () => {
    const GiB = 1024 * MiB;
    expect([1, 16, 17, 64, 300, 8192].map((gib) => compareBlockBytes(gib * GiB))).toEqual(
      [4, 4, 8, 16, 64, 64].map((kib) => kib * KiB),
    );
  });

  test('bring a replica up to its source with little more than what changed', async () => {
    const machine = await replicated(rig, random, [32 * MiB]);
    const disk = onlyDisk(machine);
    const capacityBytes = disk.model.length;
    const options = { ...quietly, blockBytes: BLOCK_BYTES, capacityBytes };
    const hashes = await hashBlocks(replicaOf(machine), options);
    // Files as guests write them.
    for (let slot = 0; slot < 4; slot += 1) {
      const length = 256 * KiB + 4 * KiB * random.int(192);
      const offset = slot * 8 * MiB + 4 * KiB * random.int(1024);
      await disk.write(offset, random.bytes(length), length);
    }
    const changedBytes = totalBytes(disk.changed);
    const previous = await latestBarrier(rig.storage, machine.item);
    const { diskId, source } = disk;
    const { barrier } = await ship(rig, machine, 2, {
      disks: [
        {
          diskId,
          capacityBytes,
          source,
          extents: differingExtents(source, hashes, quietly),
          tail: tailsAfter(previous, [diskId]).get(diskId) ?? CHAIN_START,
          changeId: null,
          skipZeros: false,
          gapBytes: 0,
        },
      ],
    });
    const wireBytes = barrier.disks
      .flatMap((entry) => entry.segments)
      .reduce((sum, ref) => sum + ref.wireBytes, 0);
    expect(wireBytes / changedBytes).toBeLessThanOrEqual(1.3);
    const { points } = await apply(rig, machine, 2);
    for (const point of points) expect(await hashesOf(rig, machine, point)).toEqual(hashesNow(machine));
  });
});

test('without gaps exactly what changed is read, with them what lies between', async () => {
  const machine = await replicated(rig, random, [4 * MiB]);
  const disk = onlyDisk(machine);
  const shipWith = async (gapBytes: number | undefined) => {
    const [tail] = (await latestBarrier(rig.storage, machine.item))?.disks.map((entry) => entry.tail) ?? [];
    const extents = [4, 40, 104].map((kib) => ({ offset: kib * KiB, length: 4 * KiB }));
    const { diskId, source } = disk;
    const { barrier } = await ship(rig, machine, 2, {
      disks: [
        {
          diskId,
          capacityBytes: 4 * MiB,
          source,
          extents,
          tail: tail ?? CHAIN_START,
          changeId: null,
          skipZeros: false,
          ...(gapBytes === undefined ? {} : { gapBytes }),
        },
      ],
    });
    return barrier.disks[0]?.readBytes;
  };
  await disk.write(0, random.bytes(128 * KiB), 128 * KiB);
  expect(await shipWith(0)).toBe(12 * KiB);
  expect(await shipWith(32 * KiB)).toBe(44 * KiB);
  expect(await shipWith(undefined)).toBe(104 * KiB);
});

describe('stored hashes', () => {
  const mine = { stream: asId<Machine['item']>('stream'), disk: 'a'.repeat(32) as DiskId, epoch: 7, key };
  const nameOf = ({ stream, disk, epoch }: typeof mine) => blobNames.blockHashes(stream, disk, epoch);
  const hashes = () => ({ blockBytes: 64 * KiB, capacityBytes: MiB + 512, digests: random.bytes(17 * 16) });
  const refused = expect.objectContaining({ code: 'DR_JOURNAL_GAP' });

  test('come back as they were saved, the newer ones of an epoch', async () => {
    await saveBlockHashes(rig.storage, mine, hashes());
    const saved = hashes();
    await saveBlockHashes(rig.storage, mine, saved);
    expect(await loadBlockHashes(rig.storage, mine)).toEqual(saved);
    await deleteBlockHashes(rig.storage, mine.stream);
    await expect(loadBlockHashes(rig.storage, mine)).rejects.toEqual(refused);
  });

  test('that are torn, altered, or of another disk, epoch or key are refused', async () => {
    await saveBlockHashes(rig.storage, mine, hashes());
    const body = Buffer.from((await rig.storage.get(nameOf(mine)))?.body ?? []);
    const moved = [
      { ...mine, disk: 'b'.repeat(32) as DiskId },
      { ...mine, epoch: 9 },
    ];
    for (const other of moved) await rig.storage.put(nameOf(other), body);
    const torn = { ...mine, epoch: 10 };
    await rig.storage.put(nameOf(torn), body.subarray(0, body.length - 16));
    const empty = { ...mine, epoch: 12 };
    await rig.storage.put(nameOf(empty), Buffer.alloc(0));
    const altered = { ...mine, epoch: 13 };
    await saveBlockHashes(rig.storage, altered, hashes());
    const other = Buffer.from((await rig.storage.get(nameOf(altered)))?.body ?? []);
    const at = random.int(other.length);
    other.writeUInt8(other.readUInt8(at) ^ 1, at);
    await rig.storage.put(nameOf(altered), other);
    for (const each of [...moved, torn, empty, altered, { ...mine, key: random.bytes(32) }]) {
      await expect(loadBlockHashes(rig.storage, each)).rejects.toEqual(refused);
    }
  });
});

describe('a whole disk', () => {
  test('has one hash, on the source and in the replica, up to any byte', async () => {
    const machine = await replicated(rig, random, [5 * MiB + 512 * 3]);
    const { source, model } = onlyDisk(machine);
    for (const bytes of [0, 512, MiB, 5 * MiB, model.length]) {
      const expected = createHash('sha256').update(model.subarray(0, bytes)).digest('hex');
      expect(await hashDisk(source, bytes, never, () => undefined)).toBe(expected);
      expect(await hashDisk(replicaOf(machine), bytes, never, () => undefined)).toBe(expected);
    }
    await expect(hashDisk(source, model.length + 512, never, () => undefined)).rejects.toThrow(RangeError);
  });

  test('of a replica tells the data of the range it is asked for', async () => {
    const machine = await rig.machine([4 * MiB]);
    const disk = onlyDisk(machine);
    await disk.write(MiB, random.bytes(2 * MiB), 2 * MiB);
    await ship(rig, machine, 1);
    await apply(rig, machine, 1);
    const range = { offset: MiB + 64 * KiB, length: 64 * KiB };
    expect(await replicaOf(machine).dataExtents(range, never)).toEqual([range]);
    const tail = await replicaOf(machine).dataExtents({ offset: 2 * MiB, length: 2 * MiB }, never);
    expect(tail.map(extentEnd)).toEqual([3 * MiB]);
    expect(await replicaOf(machine).dataExtents({ offset: 0, length: MiB }, never)).toEqual([]);
  });
});
