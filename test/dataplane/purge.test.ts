import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { purgeItem } from '../../dataplane/purge.ts';
import { asId } from '../../domain/ids.ts';
import type { ProtectedItemId } from '../../domain/ids.ts';
import { blobNames } from '../../domain/names.ts';
import { MiB } from '../../domain/units.ts';
import { seededRandom } from './support/random.ts';
import type { Machine, Rig } from './support/rig.ts';
import { apply, never, replicated, scribble, ship, startRig, watched } from './support/rig.ts';

/** One kind of blob is gone before the first of the next one goes. */
const order = ['points', 'replica', 'journal', 'barriers', 'items', 'keys'];

const random = seededRandom('purge');
let rig: Rig;

beforeAll(async () => {
  rig = await startRig(random);
});

afterAll(async () => {
  await rig.stop();
});

/** Two disks, two points, a record and a key. */
async function protectedMachine(): Promise<Machine> {
  const machine = await replicated(rig, random, [MiB, 2 * MiB]);
  await scribble(machine, random, MiB);
  await ship(rig, machine, 2);
  await apply(rig, machine, 2);
  await rig.storage.put(blobNames.item(machine.item), Buffer.from('{}'));
  await rig.storage.put(blobNames.key(machine.item), Buffer.from('{}'));
  return machine;
}

async function allNames(): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of rig.storage.list('')) names.push(name);
  return names;
}

const disksOf = (machine: Machine) => machine.disks.map((disk) => disk.diskId);

test('takes everything of the item and nothing of another one', async () => {
  const other = await protectedMachine();
  const neighbour = asId<ProtectedItemId>(`${other.item}0`);
  await rig.storage.put(blobNames.item(neighbour), Buffer.from('{}'));
  const before = await allNames();
  const machine = await protectedMachine();
  const own = (await allNames()).filter((name) => !before.includes(name));
  expect(new Set(own.map((name) => name.split('/')[0]))).toEqual(new Set(order));

  const purged = await purgeItem(rig.storage, machine.item, disksOf(machine), never);
  expect(purged).toEqual({ deletedBlobs: own.length });
  expect(await allNames()).toEqual(before);

  await purgeItem(rig.storage, other.item, disksOf(other), never);
  expect(await allNames()).toEqual([blobNames.item(neighbour)]);
  await rig.storage.delete(blobNames.item(neighbour));
});

test('is done when there is nothing', async () => {
  const machine = await protectedMachine();
  await purgeItem(rig.storage, machine.item, disksOf(machine), never);
  await expect(purgeItem(rig.storage, machine.item, disksOf(machine), never)).resolves.toEqual({
    deletedBlobs: 0,
  });
});

test('finds disks that only the barriers name, and is not stopped by an altered barrier', async () => {
  const machine = await protectedMachine();
  await rig.storage.put(blobNames.barrier(machine.item, 2), Buffer.from('{"version":1'));
  await purgeItem(rig.storage, machine.item, [], never);
  expect(await allNames()).toEqual([]);
});

test('a replica under the lease of a living writer goes, and the writer writes no more', async () => {
  const machine = await protectedMachine();
  const [disk] = disksOf(machine);
  const replica = rig.storage.replica(blobNames.replica(machine.item, disk ?? asId('')));
  const writer = await replica.fence(3, never);
  await purgeItem(rig.storage, machine.item, disksOf(machine), never);
  expect(await allNames()).toEqual([]);
  await expect(writer.write(0, Buffer.alloc(512, 1))).rejects.toMatchObject({ name: 'DrError' });
  await writer.release();
});

test('a call that is aborted already deletes nothing', async () => {
  const machine = await protectedMachine();
  const before = await allNames();
  const reason = new Error('stopped by the test');
  const aborted = purgeItem(rig.storage, machine.item, disksOf(machine), AbortSignal.abort(reason));
  await expect(aborted).rejects.toBe(reason);
  expect(await allNames()).toEqual(before);
  await purgeItem(rig.storage, machine.item, disksOf(machine), never);
});

test('aborted anywhere it leaves nothing that looks usable, and repeated it comes to the end', async () => {
  const machine = await protectedMachine();
  const before = await allNames();
  const [disk] = disksOf(machine);
  for (let step = 1 + random.int(3); ; step += 1 + random.int(3)) {
    const abort = new AbortController();
    let calls = 0;
    const storage = watched(rig.storage, () => {
      calls += 1;
      if (calls === step) abort.abort(new Error('killed'));
    });
    const given = disk === undefined || random.int(2) === 0 ? [] : [disk];
    const outcome = await purgeItem(storage, machine.item, given, abort.signal).catch((error) => error);
    const left = await allNames();
    const gone = before.filter((name) => !left.includes(name));
    const kind = (name: string) => order.indexOf(name.split('/')[0] ?? '');
    expect(Math.max(0, ...gone.map(kind))).toBeLessThanOrEqual(Math.min(order.length, ...left.map(kind)));
    if (!(outcome instanceof Error)) break;
  }
  expect(await allNames()).toEqual([]);
});
