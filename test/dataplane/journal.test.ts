import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { barrierNumbers, latestBarrier, readBarrier, tailsAfter } from '../../dataplane/journal/barriers.ts';
import { ItemKey } from '../../dataplane/keys.ts';
import { listPoints, pruneJournal } from '../../dataplane/points.ts';
import { asId } from '../../domain/ids.ts';
import type { DiskId } from '../../domain/ids.ts';
import { blobNames } from '../../domain/names.ts';
import { CHAIN_START } from '../../domain/replication.ts';
import type { RecoveryPoint } from '../../domain/replication.ts';
import { KiB, MiB } from '../../domain/units.ts';
import { seededRandom } from './support/random.ts';
import type { Machine, Rig } from './support/rig.ts';
import { apply, hashesNow, hashesOf, never, scribble, ship, startRig } from './support/rig.ts';

const random = seededRandom('journal');
let rig: Rig;

beforeAll(async () => {
  rig = await startRig(random);
});

afterAll(async () => {
  await rig.stop();
});

const diskIds = (machine: Machine) => machine.disks.map((disk) => disk.diskId);

async function segmentBlobs(machine: Machine): Promise<Set<string>> {
  const names = new Set<string>();
  for (const disk of diskIds(machine)) {
    for await (const { name } of rig.storage.list(blobNames.journalPrefix(disk))) names.add(name);
  }
  return names;
}

async function shipSome(machine: Machine, count: number): Promise<void> {
  for (let shipped = 0; shipped < count; shipped += 1) {
    await scribble(machine, random, 16 * KiB);
    const { number } = (await latestBarrier(rig.storage, machine.item)) ?? { number: 0 };
    await ship(rig, machine, number + 1);
  }
}

test('the chain of a disk that no barrier knows begins at its start', async () => {
  const machine = await rig.machine([MiB]);
  const added = asId<DiskId>('f'.repeat(32));
  await shipSome(machine, 1);
  const barrier = await latestBarrier(rig.storage, machine.item);
  const tails = tailsAfter(barrier, [...diskIds(machine), added]);
  expect(tails.get(added)).toEqual(CHAIN_START);
  expect(tails.get(diskIds(machine)[0] ?? added)).toEqual(barrier?.disks[0]?.tail);
  expect(tailsAfter(null, [added]).get(added)).toEqual(CHAIN_START);
});

test('an altered barrier is a gap, not a crash', async () => {
  const machine = await rig.machine([MiB]);
  await rig.storage.putOnce(blobNames.barrier(machine.item, 1), Buffer.from('{"version":2}'));
  await expect(readBarrier(rig.storage, machine.item, 1)).rejects.toMatchObject({ code: 'DR_JOURNAL_GAP' });
});

test('pruning can be asked for anything and never takes what an unapplied barrier names', async () => {
  const situations = fc.record({
    shipped: fc.integer({ min: 1, max: 5 }),
    applied: fc.nat(5),
    keepFrom: fc.nat(9),
    again: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(situations, async ({ shipped, applied, keepFrom, again }) => {
      const machine = await rig.machine([MiB, 512 * KiB]);
      await shipSome(machine, shipped);
      if (applied > 0) await apply(rig, machine, 1, { upToBarrier: applied });
      for (let time = again ? 0 : 1; time < 2; time += 1) {
        await pruneJournal(rig.storage, machine.item, diskIds(machine), keepFrom);
      }
      const left = await segmentBlobs(machine);
      const lastApplied = Math.min(applied, shipped);
      for (let number = Math.max(1, Math.min(keepFrom, lastApplied)); number <= shipped; number += 1) {
        const barrier = await readBarrier(rig.storage, machine.item, number);
        const named = barrier?.disks.flatMap((disk) => disk.segments.map((ref) => ref.blob));
        expect(named?.filter((blob) => !left.has(blob))).toEqual([]);
      }
      await apply(rig, machine, 2);
      const [newest] = await listPoints(rig.storage, machine.item);
      if (newest === undefined) throw new Error('no point');
      expect(await hashesOf(rig, machine, newest)).toEqual(hashesNow(machine));
    }),
    { numRuns: 6, seed: random.int(2 ** 31) },
  );
});

test('pruning removes applied barriers, their segments and what dead attempts left', async () => {
  const machine = await rig.machine([MiB]);
  await shipSome(machine, 4);
  await apply(rig, machine, 1);
  const [disk] = diskIds(machine);
  if (disk === undefined) throw new Error('no disk');
  const dead = blobNames.segment(disk, 3, 900);
  const live = blobNames.segment(disk, 5, 901);
  await rig.storage.putOnce(dead, Buffer.from('of an attempt that lost'));
  await rig.storage.putOnce(live, Buffer.from('of an attempt that may still win'));

  expect(await pruneJournal(rig.storage, machine.item, diskIds(machine), 4)).toMatchObject({
    deletedBarriers: 3,
  });
  expect(await barrierNumbers(rig.storage, machine.item)).toEqual([4]);
  const kept = (await readBarrier(rig.storage, machine.item, 4))?.disks.flatMap((entry) =>
    entry.segments.map((ref) => ref.blob),
  );
  expect(await segmentBlobs(machine)).toEqual(new Set([...(kept ?? []), live]));
  // The stream goes on from what is left.
  await shipSome(machine, 1);
  expect(await apply(rig, machine, 2)).toMatchObject({ appliedBarrier: 5 });
});

describe('records that somebody without the key has written', () => {
  /** Replaces a record by what `change` makes of its fields; the signature stays. */
  async function forge(name: string, change: (record: Record<string, unknown>) => void): Promise<void> {
    const stored = await rig.storage.get(name);
    const record = JSON.parse(Buffer.from(stored?.body ?? []).toString('utf8')) as Record<string, unknown>;
    change(record);
    await rig.storage.put(name, Buffer.from(JSON.stringify(record)));
  }

  test.each<[string, (record: Record<string, unknown>) => void]>([
    ['is altered', (record) => Object.assign(record, { sourceTime: '2031-01-01T00:00:00.000Z' })],
    ['leaves segments out', (record) => Object.assign(record, { disks: [] })],
    ['has lost its signature', (record) => delete record['mac']],
  ])('a barrier that %s is neither applied nor continued', async (_title, change) => {
    const machine = await rig.machine([MiB]);
    await shipSome(machine, 1);
    await apply(rig, machine, 1);
    await shipSome(machine, 1);
    await forge(blobNames.barrier(machine.item, 2), change);
    await expect(apply(rig, machine, 2)).rejects.toMatchObject({ code: 'DR_JOURNAL_GAP' });
    await expect(shipSome(machine, 1)).rejects.toMatchObject({ code: 'DR_JOURNAL_GAP' });
    expect((await listPoints(rig.storage, machine.item)).map((point) => point.barrierNumber)).toEqual([1]);
  });

  test('a point is no point for whoever holds the key, nor under another name', async () => {
    const machine = await rig.machine([MiB]);
    await shipSome(machine, 2);
    await apply(rig, machine, 1);
    const [newest, oldest] = await listPoints(rig.storage, machine.item, never, machine.key);
    if (newest === undefined || oldest === undefined) throw new Error('no points');
    const nameOf = (point: RecoveryPoint) => blobNames.point(point.itemId, point.sourceTime, point.pointId);
    await forge(nameOf(newest), (record) => Object.assign(record, { consistency: 'application' }));
    expect(await listPoints(rig.storage, machine.item, never, machine.key)).toEqual([oldest]);
    const stored = await rig.storage.get(nameOf(oldest));
    await rig.storage.put(nameOf(newest), stored?.body ?? Buffer.alloc(0));
    expect(await listPoints(rig.storage, machine.item)).toEqual([oldest]);
  });

  test('are taken without signature where the key is older than signatures', async () => {
    const made = await rig.machine([MiB]);
    const machine = { ...made, key: new ItemKey(random.bytes(32), false) };
    await shipSome(machine, 1);
    await forge(blobNames.barrier(machine.item, 1), (record) => delete record['mac']);
    expect(await apply(rig, machine, 1)).toMatchObject({ appliedBarrier: 1 });
    await shipSome(machine, 1);
    await forge(blobNames.barrier(machine.item, 2), (record) => Object.assign(record, { disks: [] }));
    await expect(apply(rig, machine, 2)).rejects.toMatchObject({ code: 'DR_JOURNAL_GAP' });
  });
});
