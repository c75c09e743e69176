import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { barrierNumbers } from '../../dataplane/journal/barriers.ts';
import { readLanded } from '../../dataplane/land/land-pending.ts';
import { pruneLandedJournal } from '../../dataplane/land/prune-landed.ts';
import { purgeItem } from '../../dataplane/purge.ts';
import { DrError } from '../../domain/errors.ts';
import type { DiskId } from '../../domain/ids.ts';
import { blobNames } from '../../domain/names.ts';
import type { DiskSink } from '../../domain/ports.ts';
import { KiB, MiB } from '../../domain/units.ts';
import { waitFor } from '../../lab/wait.ts';
import { land, startHome } from './support/home.ts';
import type { Home } from './support/home.ts';
import { seededRandom } from './support/random.ts';
import type { Machine, Rig } from './support/rig.ts';
import { never, scribble, segmentsOf, ship, startRig, watched, wholeDisks } from './support/rig.ts';

const random = seededRandom('landing');
const homes: Home[] = [];
let rig: Rig;

beforeAll(async () => {
  rig = await startRig(random);
});

afterEach(async () => {
  await Promise.all(homes.splice(0).map((home) => home.stop()));
});

afterAll(async () => {
  await rig.stop();
});

/** A machine whose whole disks are shipped as barrier 1, and empty room for them at home. */
async function comingHome(capacities: readonly number[]): Promise<{ machine: Machine; home: Home }> {
  const machine = await rig.machine(capacities);
  const home = await startHome(rig, machine, random);
  homes.push(home);
  for (let count = 0; count < 6; count += 1) await scribble(machine, random, MiB);
  wholeDisks(machine);
  await ship(rig, machine, 1);
  return { machine, home };
}

async function shipNoise(machine: Machine, epoch: number): Promise<void> {
  for (const disk of machine.disks) await disk.write(0, random.bytes(disk.model.length), disk.model.length);
  await ship(rig, machine, epoch);
}

/** Calls `before` ahead of everything that changes the disk. */
function touched(sink: DiskSink, before: (what: 'write' | 'zero' | 'flush') => void): DiskSink {
  return {
    ...sink,
    write(...call) {
      before('write');
      return sink.write(...call);
    },
    zero(...call) {
      before('zero');
      return sink.zero(...call);
    },
    flush(signal) {
      before('flush');
      return sink.flush(signal);
    },
  };
}

describe('landing', () => {
  test('disks at home equal the source after every barrier', async () => {
    const { machine, home } = await comingHome([5 * MiB + 512 * 37, 2 * MiB + 512]);
    expect(await readLanded(rig.storage, machine.item)).toBeNull();
    for (let barrier = 1; barrier <= 6; barrier += 1) {
      const { landedBarrier, moreWaiting, sourceTime } = await land(rig, machine, home, barrier);
      expect({ landedBarrier, moreWaiting }).toEqual({ landedBarrier: barrier, moreWaiting: false });
      expect(await home.equals(machine)).toBe(true);
      expect(await readLanded(rig.storage, machine.item)).toMatchObject({ barrier, sourceTime, torn: false });
      for (let count = random.int(6); count > 0; count -= 1) await scribble(machine, random, 512 * KiB);
      await ship(rig, machine, barrier);
    }
    expect(await rig.cached()).toEqual([]);
  });

  test('stops at the barrier it is told to, and at the number of barriers', async () => {
    const { machine, home } = await comingHome([MiB]);
    for (let barrier = 2; barrier <= 5; barrier += 1) await ship(rig, machine, 1);
    expect(await land(rig, machine, home, 1, { upToBarrier: 2 })).toMatchObject({
      landedBarrier: 2,
      moreWaiting: true,
    });
    expect(await land(rig, machine, home, 1, { barriersMax: 2 })).toMatchObject({
      landedBarrier: 4,
      moreWaiting: true,
    });
    expect(await land(rig, machine, home, 1)).toMatchObject({ landedBarrier: 5, moreWaiting: false });
    expect(await land(rig, machine, home, 1)).toMatchObject({ landedBarrier: 5, moreWaiting: false });
  });

  test('killed again and again it ends with the source bytes', async () => {
    const { machine, home } = await comingHome([4 * MiB + 512, MiB]);
    for (let count = 0; count < 3; count += 1) {
      await scribble(machine, random, MiB);
      await ship(rig, machine, 1);
    }
    let epoch = 2;
    for (let step = 1 + random.int(3); ; step += 1 + random.int(6), epoch += 1) {
      const abort = new AbortController();
      let calls = 0;
      const count = () => {
        calls += 1;
        if (calls === step) abort.abort(new Error('killed'));
      };
      const storage = watched(rig.storage, count);
      const around = (sink: DiskSink) => touched(sink, count);
      const outcome = await land(rig, machine, home, epoch, { storage, around, signal: abort.signal }).catch(
        (error) => error,
      );
      if (!(outcome instanceof Error)) break;
      expect(outcome.message).toBe('killed');
    }
    expect(epoch).toBeGreaterThan(3);
    expect(await home.equals(machine)).toBe(true);
    expect(await readLanded(rig.storage, machine.item)).toMatchObject({ barrier: 4, epoch, torn: false });
    expect(await rig.cached()).toEqual([]);
  });

  test('nothing is written before all of the barrier is there and proven whole', async () => {
    const { machine, home } = await comingHome([9 * MiB]);
    await land(rig, machine, home, 1);
    const before = await home.disks[0]?.bytes();
    if (before === undefined) throw new Error('no disk');
    await shipNoise(machine, 2);
    const last = (await segmentsOf(rig, machine, 2)).at(-1);
    const stored = await rig.storage.get(last?.blob ?? '');
    const damaged = Buffer.from(stored?.body ?? []);
    damaged.writeUInt8(damaged.readUInt8(damaged.length - 200) ^ 1, damaged.length - 200);
    await rig.storage.put(last?.blob ?? '', damaged);
    await expect(land(rig, machine, home, 2)).rejects.toMatchObject({ code: 'DR_SEGMENT_CORRUPT' });
    expect((await home.disks[0]?.bytes())?.equals(before)).toBe(true);
    expect(await readLanded(rig.storage, machine.item)).toMatchObject({ barrier: 1, torn: false });
    await rig.storage.put(last?.blob ?? '', stored?.body ?? damaged);
    await land(rig, machine, home, 3);
    expect(await home.equals(machine)).toBe(true);
  });

  test('a barrier counts as whole only after every disk was flushed behind its last write', async () => {
    const { machine, home } = await comingHome([MiB, MiB]);
    await shipNoise(machine, 1);
    const events: string[] = [];
    const storage = watched(rig.storage, (what) => void (what === 'put' && events.push('record')));
    let disks = 0;
    const around = (sink: DiskSink) => {
      disks += 1;
      const name = `disk ${disks}`;
      return touched(sink, (what) => void events.push(`${name} ${what === 'flush' ? 'flush' : 'write'}`));
    };
    await land(rig, machine, home, 1, { storage, around });
    const [taken, ...barriers] = events
      .join(' ')
      .split('record')
      .map((step) => step.trim());
    expect(taken).toBe('');
    for (const [index, step] of barriers.entries()) {
      // Begun and ended by turns; between barriers nothing is written.
      if (index % 2 === 0 && index > 0) expect(step).toBe('');
      if (index % 2 === 0) continue;
      for (const disk of ['disk 1', 'disk 2']) {
        expect(step).toContain(`${disk} write`);
        expect(step.lastIndexOf(`${disk} flush`)).toBeGreaterThan(step.lastIndexOf(`${disk} write`));
      }
    }
    expect(barriers).toHaveLength(5);
  });

  test('the next barrier is fetched while one is written, and nothing of it is written before its turn', async () => {
    const { machine, home } = await comingHome([MiB]);
    await shipNoise(machine, 1);
    const fetched = new Set<string>();
    const get: typeof rig.storage.get = async (name, signal) => {
      const stored = await rig.storage.get(name, signal);
      fetched.add(name);
      return stored;
    };
    const next = (await segmentsOf(rig, machine, 2)).map(({ blob }) => blob);
    let landed: number | undefined;
    // A first barrier of zeros alone is cleared, not written.
    const beforeFirst = async () => {
      await waitFor(() => next.every((blob) => fetched.has(blob)), { what: 'barrier 2', withinMs: 20_000 });
      landed ??= (await readLanded(rig.storage, machine.item))?.barrier;
    };
    const around = (sink: DiskSink): DiskSink => ({
      ...sink,
      async write(...call) {
        await beforeFirst();
        return sink.write(...call);
      },
      async zero(...call) {
        await beforeFirst();
        return sink.zero(...call);
      },
    });
    await land(rig, machine, home, 1, { storage: { ...rig.storage, get }, around });
    expect(landed).toBe(1);
    expect(await home.equals(machine)).toBe(true);
    expect(await rig.cached()).toEqual([]);
  });

  test('disks of another set or size are refused', async () => {
    const { machine, home } = await comingHome([MiB, MiB]);
    const gap = { code: 'DR_JOURNAL_GAP' };
    const [first, second] = home.disks;
    if (first === undefined || second === undefined) throw new Error('no disks');
    await expect(land(rig, machine, { ...home, disks: [first] }, 1)).rejects.toMatchObject(gap);
    const larger = { ...second, capacityBytes: 2 * MiB };
    await expect(land(rig, machine, { ...home, disks: [first, larger] }, 1)).rejects.toMatchObject(gap);
    const stray = { ...second, diskId: 'f'.repeat(32) as DiskId };
    await expect(land(rig, machine, { ...home, disks: [first, stray] }, 1)).rejects.toMatchObject(gap);
    expect(await readLanded(rig.storage, machine.item)).toBeNull();
  });
});

describe('a barrier that was begun', () => {
  test('counts as torn when its attempt dies; a newer one goes on and the older one is refused', async () => {
    const { machine, home } = await comingHome([6 * MiB]);
    await land(rig, machine, home, 10);
    await shipNoise(machine, 2);
    const abort = new AbortController();
    let writes = 0;
    const around = (sink: DiskSink) =>
      touched(sink, () => {
        writes += 1;
        if (writes === 2) abort.abort(new Error('killed'));
      });
    await expect(land(rig, machine, home, 11, { around, signal: abort.signal })).rejects.toThrow('killed');
    expect(await readLanded(rig.storage, machine.item)).toMatchObject({ barrier: 2, epoch: 11, torn: true });
    expect(await home.equals(machine)).toBe(false);

    // Asked for less, it still does not leave the disks torn.
    expect(await land(rig, machine, home, 12, { upToBarrier: 1 })).toMatchObject({ landedBarrier: 2 });
    expect(await home.equals(machine)).toBe(true);
    const before = await readLanded(rig.storage, machine.item);
    await shipNoise(machine, 3);
    const fenced = { code: 'DR_REPLICATION_FENCED', context: { epoch: 11, newer: 12 } };
    await expect(land(rig, machine, home, 11)).rejects.toMatchObject(fenced);
    expect(await readLanded(rig.storage, machine.item)).toEqual(before);
  });

  test.each([
    ['has taken the record', 1],
    ['has begun', 2],
    ['has ended', 3],
  ])('is not declared whole by an attempt that is overtaken before it %s', async (_title, overtakenAt) => {
    const { machine, home } = await comingHome([2 * MiB]);
    let puts = 0;
    let newer: Promise<unknown> | undefined;
    const storage = watched(rig.storage, (what) => {
      if (what !== 'put') return undefined;
      puts += 1;
      if (puts === overtakenAt)
        newer = land(rig, machine, home, 21, { cacheFolder: `${rig.cacheFolder}-newer` });
      return newer;
    });
    const older = await land(rig, machine, home, 20, { storage }).catch((error) => error);
    expect(older).toMatchObject({ code: 'DR_REPLICATION_FENCED', context: { epoch: 20, newer: 21 } });
    expect(await readLanded(rig.storage, machine.item)).toMatchObject({ epoch: 21, barrier: 1, torn: false });
    expect(await home.equals(machine)).toBe(true);
  });

  test('is finished on all disks when the storage account is lost meanwhile', async () => {
    const { machine, home } = await comingHome([5 * MiB, MiB]);
    await land(rig, machine, home, 1);
    await shipNoise(machine, 2);
    let isLost = false;
    const storage = watched(rig.storage, () => {
      if (isLost) throw new DrError('DR_STORAGE_UNREACHABLE', { account: 'vault', reason: 'cut off' });
    });
    const around = (sink: DiskSink) =>
      touched(sink, () => {
        isLost = true;
      });
    await expect(land(rig, machine, home, 2, { storage, around })).rejects.toMatchObject({
      code: 'DR_STORAGE_UNREACHABLE',
    });
    expect(await home.equals(machine)).toBe(true);
    expect(await readLanded(rig.storage, machine.item)).toMatchObject({ barrier: 2, torn: true });
    expect((await rig.cached()).length).toBeGreaterThan(0);
    // What lies in the cache is not fetched again.
    const gets: string[] = [];
    const counted = watched(rig.storage, (what) => void gets.push(what));
    await land(rig, machine, home, 3, { storage: counted });
    expect(gets.filter((what) => what === 'get').length).toBeLessThan(4);
    expect(await readLanded(rig.storage, machine.item)).toMatchObject({ barrier: 2, torn: false });
  });
});

test('the journal keeps what the disks are being given, and all that follows', async () => {
  const { machine, home } = await comingHome([MiB]);
  const disks = machine.disks.map((disk) => disk.diskId);
  for (let barrier = 2; barrier <= 5; barrier += 1) await shipNoise(machine, 1);
  await pruneLandedJournal(rig.storage, machine.item, disks);
  expect(await barrierNumbers(rig.storage, machine.item)).toEqual([1, 2, 3, 4, 5]);
  await land(rig, machine, home, 1, { upToBarrier: 3 });
  await pruneLandedJournal(rig.storage, machine.item, disks);
  expect(await barrierNumbers(rig.storage, machine.item)).toEqual([3, 4, 5]);
  await land(rig, machine, home, 1);
  expect(await home.equals(machine)).toBe(true);
  await purgeItem(rig.storage, machine.item, disks, never);
  expect(await rig.storage.get(blobNames.landed(machine.item))).toBeNull();
});
