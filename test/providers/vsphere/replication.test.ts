import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { asId, type MachineId, type ProtectedItemId } from '../../../domain/ids.ts';
import { snapshotName } from '../../../domain/names.ts';
import type { MachineSnapshot, VCenterSession } from '../../../domain/ports.ts';
import type { Extent } from '../../../domain/replication.ts';
import { MiB } from '../../../domain/units.ts';
import { createVSphere, type VSphereClient } from '../../../providers/vsphere/vsphere.ts';
import {
  codeOf,
  collect,
  type PracticeVCenter,
  startedElsewhere,
  startPracticeVCenter,
} from './practice-vcenter.ts';

const DISK_MIB = 512;
/** Practice disks are tracked in blocks of this size. */
const BLOCK_BYTES = 64 * 1024;

let practice: PracticeVCenter;
let vsphere: VSphereClient;
let vcenter: VCenterSession;
beforeAll(async () => {
  const disks = [{ mib: DISK_MIB }];
  practice = await startPracticeVCenter([
    { name: 'snapshots', poweredOn: true, disks },
    { name: 'areas', poweredOn: true, disks: [...disks, { mib: 64 }] },
    { name: 'reset', poweredOn: true, disks },
    { name: 'running', poweredOn: true, disks },
    { name: 'off', disks: [{ mib: 64 }, { mib: 64, mode: 'independent_persistent' }] },
    { name: 'foreign', poweredOn: true, disks, snapshots: ['before upgrade'] },
  ]);
  vsphere = createVSphere();
  vcenter = vsphere.session(practice.connection);
});
afterEach(async () => {
  await practice.lab('DELETE', 'faults');
  await practice.lab('POST', 'delays', { methods: {} });
});
afterAll(async () => {
  await vsphere.close();
  await practice.stop();
});

const quietly = () => undefined;
const itemOf = (machine: MachineId) => asId<ProtectedItemId>(machine);
const wanted = (name: string) => ({ name, description: 'a test', quiesce: false });

async function machineNamed(
  name: string,
): Promise<{ readonly id: MachineId; readonly item: ProtectedItemId }> {
  const id = await practice.machineId(name);
  return { id, item: itemOf(id) };
}

const snapshotNames = async (id: MachineId) => (await vcenter.getMachine(id)).snapshotNames;

const delaySnapshots = (ms: number) =>
  practice.lab('POST', 'delays', { methods: { CreateSnapshot_Task: ms, RemoveSnapshot_Task: ms } });

describe('a snapshot', () => {
  let id: MachineId;
  let item: ProtectedItemId;
  beforeAll(async () => {
    ({ id, item } = await machineNamed('snapshots'));
  });
  afterEach(() => vcenter.removeSnapshots(id, item, null, quietly));

  test('is made once however often it is asked for', async () => {
    const name = snapshotName(item, 1);
    const first = await vcenter.createSnapshot(id, wanted(name), quietly);
    const again = await vcenter.createSnapshot(id, wanted(name), quietly);
    expect(again).toEqual(first);
    expect(await vcenter.findSnapshot(id, name)).toEqual(first);
    expect(await snapshotNames(id)).toEqual([name]);
    expect(first).toMatchObject({ name, quiesced: false, disks: [{ capacityBytes: DISK_MIB * MiB }] });
    expect(Math.abs(Date.parse(first.createdAt) - Date.now())).toBeLessThan(60_000);
  });

  test('that another attempt is just making is waited for and adopted', async () => {
    const name = snapshotName(item, 2);
    await delaySnapshots(400);
    const elsewhere = await startedElsewhere(practice, (session, onProgress) =>
      session.createSnapshot(id, wanted(name), onProgress),
    );
    const adopted = await vcenter.createSnapshot(id, wanted(name), quietly);
    expect(adopted).toEqual(await elsewhere.result);
    await elsewhere.close();
    expect(await snapshotNames(id)).toEqual([name]);
  });

  test('is made once when the session is lost while it is being made', async () => {
    const name = snapshotName(item, 3);
    await delaySnapshots(400);
    let calls = 0;
    const made = await vcenter.createSnapshot(id, wanted(name), () => {
      calls += 1;
      if (calls === 2) void practice.lab('POST', 'sessions/kill');
    });
    expect(made.name).toBe(name);
    expect(await snapshotNames(id)).toEqual([name]);
  });

  test('that does not exist is found as null', async () => {
    expect(await vcenter.findSnapshot(id, snapshotName(item, 99))).toBeNull();
  });

  test('is made after vCenter said once that another task is in progress', async () => {
    await practice.lab('POST', 'faults', {
      method: 'CreateSnapshot_Task',
      faultType: 'TaskInProgress',
      count: 1,
    });
    const made = await vcenter.createSnapshot(id, wanted(snapshotName(item, 4)), quietly);
    expect(made.name).toBe(snapshotName(item, 4));
  });

  test('whose task fails ends in DR_VCENTER_TASK_FAILED with the fault, and succeeds on the next attempt', async () => {
    const rule = {
      method: 'CreateSnapshot_Task',
      faultType: 'NoDiskSpace',
      message: 'full',
      taskError: true,
      count: 1,
    };
    await practice.lab('POST', 'faults', rule);
    const name = snapshotName(item, 5);
    const error = await vcenter
      .createSnapshot(id, wanted(name), quietly)
      .catch((failure: unknown) => failure);
    expect(error).toMatchObject({
      code: 'DR_VCENTER_TASK_FAILED',
      outcome: 'retry',
      context: {
        attempted: `create snapshot "${name}" of machine ${id}`,
        fault: expect.stringContaining('NoDiskSpace'),
      },
    });
    expect((await vcenter.createSnapshot(id, wanted(name), quietly)).name).toBe(name);
  });
});

describe('removing snapshots', () => {
  test('leaves the one to keep, those of other items and those of people', async () => {
    const { id, item } = await machineNamed('foreign');
    const other = snapshotName(asId<ProtectedItemId>('ffffffff-0000'), 1);
    const kept = snapshotName(item, 2);
    for (const name of [snapshotName(item, 1), other, kept, 'by hand', snapshotName(item, 3)]) {
      await vcenter.createSnapshot(id, wanted(name), quietly);
    }
    await vcenter.removeSnapshots(id, item, kept, quietly);
    expect(await snapshotNames(id)).toEqual(['before upgrade', other, kept, 'by hand']);

    await vcenter.removeSnapshots(id, item, null, quietly);
    expect(await snapshotNames(id)).toEqual(['before upgrade', other, 'by hand']);
    await vcenter.removeSnapshots(id, item, null, quietly);
    expect(await snapshotNames(id)).toEqual(['before upgrade', other, 'by hand']);
  });

  test('joins a removal that another attempt has started', async () => {
    const { id, item } = await machineNamed('snapshots');
    await vcenter.createSnapshot(id, wanted(snapshotName(item, 7)), quietly);
    await delaySnapshots(400);
    const elsewhere = await startedElsewhere(practice, (session, onProgress) =>
      session.removeSnapshots(id, item, null, onProgress),
    );
    await vcenter.removeSnapshots(id, item, null, quietly);
    expect(await snapshotNames(id)).toEqual([]);
    await elsewhere.result;
    await elsewhere.close();
  });
});

describe('change tracking', () => {
  test.each(['running', 'off'])('of a machine that is %s counts when it was enabled', async (name) => {
    const { id, item } = await machineNamed(name);
    await vcenter.enableChangeTracking(id, quietly);
    expect(await vcenter.getMachine(id)).toMatchObject({ changeTrackingEnabled: true, snapshotNames: [] });
    const snapshot = await vcenter.createSnapshot(id, wanted(snapshotName(item, 1)), quietly);
    const independent = (await vcenter.getMachine(id)).disks.filter(
      ({ diskMode }) => diskMode !== 'persistent',
    );
    for (const disk of snapshot.disks) {
      const isTracked = independent.every(({ deviceKey }) => deviceKey !== disk.deviceKey);
      expect(disk.changeId !== null).toBe(isTracked);
    }
    await vcenter.removeSnapshots(id, item, null, quietly);
  });

  test('is enabled twice without harm, and without touching a snapshot in use', async () => {
    const { id, item } = await machineNamed('running');
    await vcenter.enableChangeTracking(id, quietly);
    const name = snapshotName(item, 2);
    const before = await vcenter.createSnapshot(id, wanted(name), quietly);
    await vcenter.enableChangeTracking(id, quietly);
    expect(await vcenter.findSnapshot(id, name)).toEqual(before);
  });

  test('is not enabled while there are snapshots of others', async () => {
    const { id } = await machineNamed('foreign');
    const error = await vcenter.enableChangeTracking(id, quietly).catch((failure: unknown) => failure);
    expect(error).toMatchObject({
      code: 'DR_MACHINE_FOREIGN_SNAPSHOT',
      context: { snapshots: expect.stringContaining('before upgrade') },
    });
    expect((await vcenter.getMachine(id)).changeTrackingEnabled).toBe(false);
  });
});

/** A model of one disk's changed blocks since the last time it was asked. */
class ChangedBlocks {
  readonly #blocks = new Set<number>();

  add(offset: number, length: number): void {
    for (let at = offset - (offset % BLOCK_BYTES); at < offset + length; at += BLOCK_BYTES)
      this.#blocks.add(at);
  }

  take(): Extent[] {
    const extents: { offset: number; length: number }[] = [];
    for (const offset of [...this.#blocks].sort((a, b) => a - b)) {
      const last = extents.at(-1);
      if (last !== undefined && last.offset + last.length === offset) last.length += BLOCK_BYTES;
      else extents.push({ offset, length: BLOCK_BYTES });
    }
    this.#blocks.clear();
    return extents;
  }
}

/** Mulberry32: small, seeded, good enough to scatter writes. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

async function write(machine: string, deviceKey: number, offset: number, length: number): Promise<void> {
  await practice.lab('POST', 'guest/write', { machine, deviceKey, offset, seed: offset + 1, length });
}

describe('changed areas', () => {
  let id: MachineId;
  let item: ProtectedItemId;
  let number = 0;
  beforeAll(async () => {
    ({ id, item } = await machineNamed('areas'));
    await vcenter.enableChangeTracking(id, quietly);
  });
  afterEach(() => vcenter.removeSnapshots(id, item, null, quietly));

  async function nextSnapshot(): Promise<MachineSnapshot> {
    number += 1;
    return vcenter.createSnapshot(id, wanted(snapshotName(item, number)), quietly);
  }

  const areas = (snapshot: MachineSnapshot, deviceKey: number, changeId: string) =>
    collect(vcenter.changedAreas(id, { snapshot, deviceKey, changeId }));

  function changeIdOf(snapshot: MachineSnapshot, deviceKey: number): string {
    return snapshot.disks.find((disk) => disk.deviceKey === deviceKey)?.changeId ?? 'none';
  }

  test('are exactly what guests wrote between two snapshots, over many rounds and disks', async () => {
    const seed = Math.floor(Math.random() * 2 ** 31);
    process.stdout.write(`seed ${seed}\n`);
    const random = seeded(seed);
    let previous = await nextSnapshot();
    const models = new Map(previous.disks.map((disk) => [disk.deviceKey, new ChangedBlocks()]));
    for (let round = 0; round < 3; round += 1) {
      for (const disk of previous.disks) {
        for (let count = 0; count < 12; count += 1) {
          const offset = Math.floor(random() * (disk.capacityBytes - MiB));
          const length = 1 + Math.floor(random() * 300_000);
          await write('areas', disk.deviceKey, offset, length);
          models.get(disk.deviceKey)?.add(offset, length);
        }
      }
      const snapshot = await nextSnapshot();
      await vcenter.removeSnapshots(id, item, snapshot.name, quietly);
      for (const { deviceKey } of snapshot.disks) {
        const seen = await areas(snapshot, deviceKey, changeIdOf(previous, deviceKey));
        expect(seen).toEqual(models.get(deviceKey)?.take());
      }
      previous = snapshot;
    }
  });

  test('are complete beyond the 2,000 that vCenter answers at a time', async () => {
    const before = await nextSnapshot();
    const deviceKey = before.disks[0]?.deviceKey ?? 0;
    const model = new ChangedBlocks();
    const scattered = Array.from({ length: 2_500 }, (_, index) => index * 3 * BLOCK_BYTES);
    for (let start = 0; start < scattered.length; start += 100) {
      await Promise.all(
        scattered.slice(start, start + 100).map((offset) => write('areas', deviceKey, offset, 512)),
      );
    }
    for (const offset of scattered) model.add(offset, 512);
    const after = await nextSnapshot();
    const seen = await areas(after, deviceKey, changeIdOf(before, deviceKey));
    expect(seen).toHaveLength(2_500);
    expect(seen).toEqual(model.take());
  });

  test('are none when nothing was written', async () => {
    const before = await nextSnapshot();
    const after = await nextSnapshot();
    const deviceKey = before.disks[0]?.deviceKey ?? 0;
    expect(await areas(after, deviceKey, changeIdOf(before, deviceKey))).toEqual([]);
  });

  test('since the beginning are whole sectors inside the disk, ascending and apart', async () => {
    const snapshot = await nextSnapshot();
    for (const { deviceKey, capacityBytes } of snapshot.disks) {
      const seen = await areas(snapshot, deviceKey, '*');
      let end = -1;
      for (const { offset, length } of seen) {
        expect(offset).toBeGreaterThan(end);
        expect([offset % 512, length % 512]).toEqual([0, 0]);
        end = offset + length;
      }
      expect(end).toBeLessThanOrEqual(capacityBytes);
    }
  });

  test.each(['FileFault', 'NotFound', 'InvalidArgument'])(
    'end in DR_REPLICATION_CBT_RESET when vCenter answers with %s',
    async (faultType) => {
      const snapshot = await nextSnapshot();
      const deviceKey = snapshot.disks[0]?.deviceKey ?? 0;
      await practice.lab('POST', 'faults', { method: 'QueryChangedDiskAreas', faultType });
      expect(await codeOf(areas(snapshot, deviceKey, '*'))).toBe('DR_REPLICATION_CBT_RESET');
    },
  );

  test('are read again after vCenter had another fault', async () => {
    const snapshot = await nextSnapshot();
    const deviceKey = snapshot.disks[0]?.deviceKey ?? 0;
    const rule = { method: 'QueryChangedDiskAreas', faultType: 'HostNotConnected', count: 1 };
    await practice.lab('POST', 'faults', rule);
    expect(await codeOf(areas(snapshot, deviceKey, '*'))).toBe('DR_VCENTER_TASK_FAILED');
    expect(await codeOf(areas(snapshot, deviceKey, '*'))).toBe('succeeded');
  });

  test('go on when the session is lost between pages', async () => {
    const snapshot = await nextSnapshot();
    const deviceKey = snapshot.disks[0]?.deviceKey ?? 0;
    const all = await areas(snapshot, deviceKey, '*');
    const seen: Extent[] = [];
    for await (const extent of vcenter.changedAreas(id, { snapshot, deviceKey, changeId: '*' })) {
      if (seen.length === 0) await practice.lab('POST', 'sessions/kill');
      seen.push(extent);
    }
    expect(all.length).toBeGreaterThan(2_000);
    expect(seen).toEqual(all);
  });
});

test('tracking that started anew is noticed: DR_REPLICATION_CBT_RESET instead of a wrong delta', async () => {
  const { id, item } = await machineNamed('reset');
  await vcenter.enableChangeTracking(id, quietly);
  const before = await vcenter.createSnapshot(id, wanted(snapshotName(item, 1)), quietly);
  await vcenter.removeSnapshots(id, item, null, quietly);
  await practice.lab('POST', 'cbt-reset', { machine: 'reset' });
  const after = await vcenter.createSnapshot(id, wanted(snapshotName(item, 2)), quietly);
  const [disk] = before.disks;
  const query = { snapshot: after, deviceKey: disk?.deviceKey ?? 0 };
  const delta = collect(vcenter.changedAreas(id, { ...query, changeId: disk?.changeId ?? '' }));
  await expect(delta).rejects.toMatchObject({
    code: 'DR_REPLICATION_CBT_RESET',
    context: { machine: id, reason: 'tracking was started anew' },
  });
  const untracked = { ...after, disks: after.disks.map((entry) => ({ ...entry, changeId: null })) };
  const inactive = collect(vcenter.changedAreas(id, { ...query, snapshot: untracked, changeId: '*' }));
  expect(await codeOf(inactive)).toBe('DR_REPLICATION_CBT_RESET');
});
