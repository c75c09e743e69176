import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { ApplyDisk } from '../../dataplane/apply/apply-request.ts';
import { listPoints } from '../../dataplane/points.ts';
import { blobNames } from '../../domain/names.ts';
import { MiB, azureDiskBytes } from '../../domain/units.ts';
import { seededRandom } from './support/random.ts';
import type { Machine, Rig } from './support/rig.ts';
import {
  apply,
  hashesNow,
  hashesOf,
  never,
  replicated,
  scribble,
  ship,
  startRig,
  watched,
  wholeDisks,
} from './support/rig.ts';

const random = seededRandom('joined and grown');
let rig: Rig;

beforeAll(async () => {
  rig = await startRig(random);
});

afterAll(async () => {
  await rig.stop();
});

/** A machine of one replicated disk, to which a second one is added with barrier `joinedAtBarrier`. */
async function withAnother(joinedAtBarrier: number) {
  const before = await replicated(rig, random, [MiB + 512]);
  const { disks: added } = await rig.machine([2 * MiB]);
  const [second] = added;
  if (second === undefined) throw new Error('no disk');
  const machine: Machine = { ...before, disks: [...before.disks, second] };
  await second.write(0, random.bytes(MiB), MiB);
  const disks: ApplyDisk[] = machine.disks.map(({ diskId, model }) => ({
    diskId,
    capacityBytes: model.length,
  }));
  const joined = disks.map((disk, index) => (index === 1 ? { ...disk, joinedAtBarrier } : disk));
  return { before, machine, second, disks, joined };
}

function numbersOf(points: readonly { readonly barrierNumber: number }[]): number[] {
  return points.map((point) => point.barrierNumber);
}

/** The disk under its id, with another size. */
async function grown(machine: Machine, capacities: readonly number[]): Promise<Machine> {
  const larger = await rig.machine(capacities);
  for (const [index, disk] of larger.disks.entries()) {
    const old = machine.disks[index]?.model;
    if (old !== undefined) await disk.write(0, old, old.length);
    disk.changed = [];
  }
  const disks = larger.disks.map((disk, index) =>
    Object.assign(disk, { diskId: machine.disks[index]?.diskId }),
  );
  return { ...machine, disks };
}

describe('a disk that joins', () => {
  test('is in every point from its barrier on, and in none before', async () => {
    const { before, machine, second, joined } = await withAnother(3);
    await scribble(before, random, MiB);
    await ship(rig, before, 2);
    second.changed = [{ offset: 0, length: second.model.length }];
    await ship(rig, machine, 3);
    const atJoining = hashesNow(machine);
    await scribble(machine, random, MiB);
    await ship(rig, machine, 4);

    const { points } = await apply(rig, machine, 5, { disks: joined });
    expect(points.map((point) => [point.barrierNumber, point.disks.length])).toEqual([
      [2, 1],
      [3, 2],
      [4, 2],
    ]);
    const [newest, third] = await listPoints(rig.storage, machine.item);
    if (newest === undefined || third === undefined) throw new Error('no points');
    expect(await hashesOf(rig, machine, third)).toEqual(atJoining);
    expect(await hashesOf(rig, machine, newest)).toEqual(hashesNow(machine));
  });

  test('is a gap when nobody says that it joined', async () => {
    const { before, machine, disks } = await withAnother(3);
    await ship(rig, before, 2);
    await ship(rig, machine, 3);
    await expect(apply(rig, machine, 5, { disks })).rejects.toMatchObject({ code: 'DR_JOURNAL_GAP' });
  });

  test('catches up with disks that are ahead without touching the points made meanwhile', async () => {
    const { before, machine, second, joined } = await withAnother(2);
    second.changed = [{ offset: 0, length: second.model.length }];
    await ship(rig, machine, 2);
    await scribble(machine, random, MiB);
    await ship(rig, machine, 3);
    // Applied by one who has not heard of the disk.
    expect(numbersOf((await apply(rig, before, 4)).points)).toEqual([2, 3]);
    const [newestBefore] = await listPoints(rig.storage, machine.item);
    expect(numbersOf((await apply(rig, machine, 5, { disks: joined })).points)).not.toContain(2);
    expect((await listPoints(rig.storage, machine.item))[0]).toEqual(newestBefore);
    await scribble(machine, random, MiB);
    await ship(rig, machine, 6);
    const { points } = await apply(rig, machine, 7, { disks: joined });
    for (const point of points) expect(await hashesOf(rig, machine, point)).toEqual(hashesNow(machine));
    expect(numbersOf(points)).toEqual([4]);
  });

  test('again, after it had left, starts empty', async () => {
    const machine = await replicated(rig, random, [MiB, MiB]);
    const [first, second] = machine.disks;
    if (first === undefined || second === undefined) throw new Error('no disks');
    await ship(rig, { ...machine, disks: [first] }, 2);
    await apply(rig, { ...machine, disks: [first] }, 2);
    // What it had before must not show through where zeros are skipped.
    await second.write(0, null, MiB);
    await second.write(512, random.bytes(512), 512);
    wholeDisks(machine);
    await ship(rig, machine, 3, { skipZeros: true });
    const joined = [
      { diskId: first.diskId, capacityBytes: MiB },
      { diskId: second.diskId, capacityBytes: MiB, joinedAtBarrier: 3 },
    ];
    // The first disk skips zeros too, over what it has: only the second is compared.
    const { points } = await apply(rig, machine, 4, { disks: joined });
    for (const point of points) expect((await hashesOf(rig, machine, point))[1]).toBe(second.sha256());
    expect(numbersOf(points)).toEqual([3]);
  });
});

describe('a disk that grows', () => {
  test.each([
    ['within its last MiB', MiB + 512, MiB + 1024],
    ['over a MiB', MiB + 512, 3 * MiB + 512],
  ])('%s grows its replica; older points keep their size', async (_title, from, to) => {
    const before = await replicated(rig, random, [from]);
    const [point] = await listPoints(rig.storage, before.item);
    const hashesBefore = hashesNow(before);
    const machine = await grown(before, [to]);
    const [disk] = machine.disks;
    if (disk === undefined || point === undefined) throw new Error('nothing');
    await disk.write(to - 512, random.bytes(512), 512);
    await ship(rig, machine, 2);
    await disk.write(0, random.bytes(MiB), MiB);
    await ship(rig, machine, 3);
    // The caller may still know the old size, or the new one already.
    const known = (capacityBytes: number) => ({ disks: [{ diskId: disk.diskId, capacityBytes }] });
    await apply(rig, machine, 4, { ...known(from), upToBarrier: 2 });
    const { points } = await apply(rig, machine, 5, known(random.int(2) === 0 ? from : to));
    for (const one of points) expect(await hashesOf(rig, machine, one)).toEqual(hashesNow(machine));
    expect(points.map((one) => one.disks[0]?.capacityBytes)).toEqual([to]);
    expect(await hashesOf(rig, before, point)).toEqual(hashesBefore);

    const replica = rig.storage.replica(blobNames.replica(machine.item, disk.diskId));
    expect((await replica.properties())?.bytes).toBe(azureDiskBytes(to) + 512);
    const footer = Buffer.from(await replica.read(null, azureDiskBytes(to), 512));
    expect(footer.toString('latin1', 0, 8)).toBe('conectix');
    expect(footer.readBigUInt64BE(48)).toBe(BigInt(azureDiskBytes(to)));
  });

  test('ends whole when killed at any request', async () => {
    const before = await replicated(rig, random, [MiB]);
    const machine = await grown(before, [2 * MiB + 512]);
    await machine.disks[0]?.write(MiB - 512, random.bytes(MiB), MiB);
    await ship(rig, machine, 2);
    let epoch = 10;
    for (let step = 1; ; step += 1, epoch += 1) {
      const abort = new AbortController();
      let calls = 0;
      const storage = watched(rig.storage, () => {
        calls += 1;
        if (calls === step) abort.abort(new Error('killed'));
      });
      const outcome = await apply(rig, machine, epoch, { storage, signal: abort.signal }).catch(
        (error) => error,
      );
      if (!(outcome instanceof Error)) break;
    }
    expect(epoch).toBeGreaterThan(15);
    const [point] = await listPoints(rig.storage, machine.item);
    if (point === undefined) throw new Error('no point');
    expect(await hashesOf(rig, machine, point)).toEqual(hashesNow(machine));
  });

  test('is grown by nobody whom a newer attempt has overtaken, and never shrunk', async () => {
    const replica = rig.storage.replica('replica/grown/fenced.vhd');
    await replica.create(MiB);
    const older = await replica.fence(1, never);
    await older.resize(2 * MiB);
    await older.write(2 * MiB - 512, random.bytes(512));
    await expect(older.resize(MiB)).rejects.toMatchObject({ code: 'DR_INTERNAL' });
    const newer = await replica.fence(2, never);
    await expect(older.resize(3 * MiB)).rejects.toMatchObject({ code: 'DR_REPLICATION_FENCED' });
    expect((await replica.properties())?.bytes).toBe(2 * MiB);
    await newer.release();
    await older.release();
  });

  test('and one that shrinks is refused', async () => {
    const before = await replicated(rig, random, [2 * MiB]);
    const machine = { ...before, disks: (await rig.machine([MiB])).disks };
    Object.assign(machine.disks[0] ?? {}, { diskId: before.disks[0]?.diskId });
    await ship(rig, machine, 2);
    await expect(apply(rig, before, 3)).rejects.toMatchObject({ code: 'DR_JOURNAL_GAP' });
    expect(numbersOf(await listPoints(rig.storage, machine.item))).toEqual([1]);
  });
});
