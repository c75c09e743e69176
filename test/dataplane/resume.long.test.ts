/** First copies that are interrupted within a barrier: the next attempt goes on from the segments that are there. */
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { pruneJournal } from '../../dataplane/journal/prune.ts';
import { readBarrier } from '../../dataplane/journal/barriers.ts';
import { listPoints } from '../../dataplane/points.ts';
import { appendMark, claimFolder, readMarks, sweepFolders } from '../../dataplane/ship/leftovers.ts';
import type { ShipRequest, ShipResult } from '../../dataplane/ship/ship-request.ts';
import { asId, type DiskId } from '../../domain/ids.ts';
import type { DiskSource, VaultStorage } from '../../domain/ports.ts';
import { CHAIN_START } from '../../domain/replication.ts';
import { MiB } from '../../domain/units.ts';
import { seededRandom } from './support/random.ts';
import type { Machine, Rig } from './support/rig.ts';
import { apply, hashesNow, hashesOf, ship, startRig, watched } from './support/rig.ts';

const random = seededRandom('resume');
/** Of each disk: units that are compressed, sealed or wait for their file, and reads ahead. */
const IN_MEMORY_BYTES = (13 + 5) * MiB;

let rig: Rig;
beforeAll(async () => {
  rig = await startRig(random);
});
afterAll(() => rig.stop());

interface Attempt {
  /** Ends the attempt before the read with this number. */
  readonly endAtRead?: number;
  readonly request?: Partial<ShipRequest>;
  readonly skipZeros?: boolean;
}

interface Outcome {
  readonly result: ShipResult | null;
  readonly readBytes: number;
}

async function machineOf(mibs: readonly number[]): Promise<Machine> {
  const machine = await rig.machine(mibs.map((mib) => mib * MiB));
  for (const disk of machine.disks) {
    await disk.write(0, random.bytes(disk.model.length), disk.model.length);
  }
  return machine;
}

/** Barrier 1 of the whole machine, from one frozen state, as a first copy asks for it. */
async function attempt(machine: Machine, epoch: number, options: Attempt = {}): Promise<Outcome> {
  const { endAtRead = Infinity, skipZeros = true, request } = options;
  const controller = new AbortController();
  let readBytes = 0;
  let reads = 0;
  const counted = (source: DiskSource): DiskSource => ({
    ...source,
    async read(offset, into, signal) {
      reads += 1;
      if (reads === endAtRead) controller.abort(new Error('ended by the test'));
      await source.read(offset, into, signal);
      readBytes += into.length;
    },
  });
  const shipped = ship(rig, machine, epoch, {
    barrierNumber: 1,
    isResumable: true,
    signal: controller.signal,
    disks: machine.disks.map(({ diskId, model, source }) => ({
      diskId,
      capacityBytes: model.length,
      source: counted(source),
      extents: [{ offset: 0, length: model.length }],
      tail: CHAIN_START,
      changeId: '52 de/1',
      skipZeros,
    })),
    ...request,
  });
  const result = await shipped.catch((error: unknown) => {
    if (!controller.signal.aborted && request === undefined) throw error;
    return null;
  });
  return { result, readBytes };
}

async function expectApplied(machine: Machine): Promise<void> {
  await apply(rig, machine, 1);
  const [point] = await listPoints(rig.storage, machine.item);
  if (point === undefined) throw new Error('no point');
  expect(await hashesOf(rig, machine, point)).toEqual(hashesNow(machine));
}

const itemFolder = (machine: Machine) => path.join(rig.cacheFolder, machine.item);

async function cachedSegments(machine: Machine): Promise<string[]> {
  const names = await readdir(itemFolder(machine), { recursive: true });
  return names.filter((name) => name.endsWith('.seg')).map((name) => path.join(itemFolder(machine), name));
}

/** Puts no segment: what is complete stays in the cache. */
function unreachable(storage: VaultStorage): VaultStorage {
  return watched(storage, (what) =>
    what === 'putOnce' ? Promise.reject(new Error('the account does not answer')) : undefined,
  );
}

function flipBit(bytes: Buffer): void {
  const at = random.int(bytes.length);
  bytes.writeUInt8(bytes.readUInt8(at) ^ (1 << random.int(8)), at);
}

describe('an interrupted first copy', () => {
  test('reads nothing again of what was durable, and says so in its progress', async () => {
    const machine = await machineOf([10]);
    const seen: { doneBytes: number; readBytes: number; wireBytes: number }[] = [];
    await attempt(machine, 1, { request: { storage: noBarrier(rig.storage) } });
    const again = await attempt(machine, 2, { request: { onProgress: (each) => seen.push(each) } });
    expect(again.readBytes).toBe(0);
    const [segments] =
      (await readBarrier(rig.storage, machine.item, 1))?.disks.map((disk) => disk.segments) ?? [];
    const wireBytes = segments?.reduce((sum, segment) => sum + segment.wireBytes, 0);
    expect(seen.at(-1)).toMatchObject({ doneBytes: 10 * MiB, readBytes: 10 * MiB, wireBytes });
    expect(segments?.every(({ blob }) => blob.includes('/0000000000000001/'))).toBe(true);
    expect(again.result?.barrier.epoch).toBe(2);
    await expectApplied(machine);
  });

  test('sends what lay complete in the cache, and keeps it through pruning before its barrier stands', async () => {
    const machine = await machineOf([10]);
    await attempt(machine, 1, { request: { storage: unreachable(rig.storage) } });
    expect((await cachedSegments(machine)).length).toBeGreaterThan(0);
    const [disk] = machine.disks;
    const prune = () => pruneJournal(rig.storage, machine.item, [disk?.diskId ?? asId<DiskId>('')], 1);
    const pruning = watched(rig.storage, (what) => (what === 'putOnce' ? prune() : undefined));
    const again = await attempt(machine, 2, { request: { storage: pruning } });
    expect(again.readBytes).toBeLessThan(10 * MiB);
    await prune();
    await expectApplied(machine);
  });

  test('takes over nothing that was altered in the cache or in the account', async () => {
    const machine = await machineOf([10]);
    await attempt(machine, 1, { request: { storage: unreachable(rig.storage) } });
    for (const file of await cachedSegments(machine)) {
      const bytes = await readFile(file);
      flipBit(bytes);
      await writeFile(file, bytes);
    }
    await attempt(machine, 2, { request: { storage: noBarrier(rig.storage) } });
    const [disk] = machine.disks;
    const stored = await Array.fromAsync(rig.storage.list(`journal/${disk?.diskId ?? ''}/`));
    for (const { name } of stored) {
      const body = Buffer.from((await rig.storage.get(name))?.body ?? []);
      flipBit(body);
      await rig.storage.put(name, body);
    }
    const again = await attempt(machine, 3);
    expect(again.readBytes).toBe(10 * MiB);
    await expectApplied(machine);
  });

  test('begins anew from another frozen state, or without the cache', async () => {
    const machine = await machineOf([3]);
    await attempt(machine, 1, { request: { storage: noBarrier(rig.storage) } });
    const later = { sourceTime: '2031-01-01T00:00:00.000Z', storage: noBarrier(rig.storage) };
    expect((await attempt(machine, 2, { request: later })).readBytes).toBe(3 * MiB);
    await rm(itemFolder(machine), { recursive: true });
    expect((await attempt(machine, 3)).readBytes).toBe(3 * MiB);
    await expectApplied(machine);
  });

  test('does not read long runs of zeros again', async () => {
    const machine = await rig.machine([40 * MiB]);
    const [disk] = machine.disks;
    await disk?.write(0, random.bytes(MiB), MiB);
    // Written zeros, so that they are no hole.
    await disk?.write(MiB, Buffer.alloc(39 * MiB), 39 * MiB);
    const first = await attempt(machine, 1, { endAtRead: 38 });
    const again = await attempt(machine, 2);
    expect(first.readBytes + again.readBytes).toBeLessThanOrEqual(40 * MiB + IN_MEMORY_BYTES);
    await expectApplied(machine);
  });

  test('an older attempt that still runs ends when its folder is taken over, and harms nothing', async () => {
    const machine = await machineOf([10]);
    let newer: Promise<Outcome> | undefined;
    const older = await attempt(machine, 1, {
      request: {
        onProgress: ({ doneBytes }) => {
          if (doneBytes > 4 * MiB) newer ??= attempt(machine, 2);
        },
      },
    });
    const outcome = await newer;
    const barrier = await readBarrier(rig.storage, machine.item, 1);
    expect(older.result === null || older.result.barrier.epoch === barrier?.epoch).toBe(true);
    expect(outcome?.result?.barrier).toEqual(barrier);
    await expectApplied(machine);
  });
});

/** Every segment becomes durable, the barrier does not. */
function noBarrier(storage: VaultStorage): VaultStorage {
  return {
    ...storage,
    putOnce: (name, body, signal) =>
      name.startsWith('barriers/')
        ? Promise.reject(new Error('killed before the barrier'))
        : storage.putOnce(name, body, signal),
  };
}

describe('the folder of an attempt', () => {
  test('is taken over by one of several newer attempts, and only for the same work', async () => {
    const folder = path.join(rig.cacheFolder, 'claims');
    await claimFolder(path.join(folder, '3'), 'same');
    expect(await claimFolder(path.join(folder, '4'), 'other')).toEqual([]);
    await claimFolder(path.join(folder, '5'), 'same');
    expect(await claimFolder(path.join(folder, '6'), 'same')).toEqual([5]);
    expect(await claimFolder(path.join(folder, '7'), 'same')).toEqual([5, 6]);
    const both = await Promise.all(['8', '9'].map((epoch) => claimFolder(path.join(folder, epoch), 'same')));
    expect(both.filter((epochs) => epochs.length >= 3).length).toBeGreaterThanOrEqual(1);
    expect(await claimFolder(path.join(folder, '10'), null)).toEqual([]);
    expect(await readdir(folder)).toEqual(['10']);
    await rm(folder, { recursive: true });
  });

  test('goes when nobody came back to it for a week', async () => {
    const cache = path.join(rig.cacheFolder, 'sweep');
    await claimFolder(path.join(cache, 'item', '1'), 'same');
    await mkdir(path.join(cache, 'landing', 'item'), { recursive: true });
    const day = 24 * 3_600_000;
    await sweepFolders(cache, Date.now() + 6 * day);
    expect(await readdir(path.join(cache, 'item'))).toEqual(['1']);
    await sweepFolders(cache, Date.now() + 8 * day);
    expect(await readdir(path.join(cache, 'item'))).toEqual([]);
    expect(await readdir(path.join(cache, 'landing'))).toEqual(['item']);
    await rm(cache, { recursive: true });
  });

  test('keeps marks that are whole', async () => {
    const folder = path.join(rig.cacheFolder, 'marks', '1');
    await claimFolder(folder, 'same');
    const mark = { diskId: asId<DiskId>('a'.repeat(32)), nextSeq: 7, offset: 8 * MiB };
    await appendMark(folder, mark);
    await appendMark(folder, { ...mark, offset: 16 * MiB });
    const file = path.join(folder, 'marks.log');
    const text = await readFile(file, 'utf8');
    await writeFile(file, text.slice(0, -4));
    expect(await readMarks(folder)).toEqual([mark]);
    await writeFile(file, text.replace(` ${8 * MiB} `, ` ${9 * MiB} `));
    expect(await readMarks(folder)).toEqual([{ ...mark, offset: 16 * MiB }]);
    await rm(path.dirname(folder), { recursive: true });
  });
});
