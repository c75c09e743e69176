/** Barriers that are durable and not applied yet, to be spoiled one way after the other and put right again. */
import { createHash } from 'node:crypto';
import { readAppliedState } from '../../../dataplane/apply/replica.ts';
import { encodeBarrier, readBarrier } from '../../../dataplane/journal/barriers.ts';
import { ItemKey } from '../../../dataplane/keys.ts';
import { listPoints } from '../../../dataplane/points.ts';
import { HEADER_BYTES, decodeHeader } from '../../../dataplane/segment/layout.ts';
import type { SegmentHeader } from '../../../dataplane/segment/layout.ts';
import { blobNames } from '../../../domain/names.ts';
import type { Barrier, SegmentRef } from '../../../domain/replication.ts';
import { KiB } from '../../../domain/units.ts';
import type { Random } from './random.ts';
import type { Machine, Rig } from './rig.ts';
import { apply, hashesNow, hashesOf, never, replicated, ship } from './rig.ts';

const DISK_BYTES = 64 * KiB;

export class Stage {
  readonly random: Random;
  readonly machine: Machine;
  /** Another item, with barriers and segments like those of `machine`. */
  readonly stranger: Machine;
  /** Key of the same item in another vault. */
  readonly otherKey: ItemKey;
  readonly #rig: Rig;
  readonly #truth = new Map<string, Buffer>();
  readonly #hashes: readonly (readonly string[])[];
  #epoch = 100;

  private constructor(
    rig: Rig,
    random: Random,
    machines: readonly [Machine, Machine],
    hashes: readonly (readonly string[])[],
  ) {
    this.#rig = rig;
    this.random = random;
    [this.machine, this.stranger] = machines;
    this.otherKey = new ItemKey(random.bytes(32));
    this.#hashes = hashes;
  }

  /** Barrier 1 is applied, 2 and 3 wait, each with a segment for each of two disks. */
  static async set(rig: Rig, random: Random): Promise<Stage> {
    const hashes: string[][] = [];
    const make = async () => {
      const machine = await replicated(rig, random, [DISK_BYTES, DISK_BYTES]);
      hashes.push(hashesNow(machine));
      for (let barrier = 2; barrier <= 3; barrier += 1) {
        for (const disk of machine.disks) await disk.write(0, random.bytes(8 * KiB), 8 * KiB);
        await ship(rig, machine, barrier);
        hashes.push(hashesNow(machine));
      }
      return machine;
    };
    const machine = await make();
    return new Stage(rig, random, [machine, await make()], hashes.slice(0, 3));
  }

  /** Of the first disk, the one that is spoiled; `of` is another machine. */
  async ref(barrier: number, disk = 0, of = this.machine): Promise<SegmentRef> {
    const found = (await this.barrier(barrier, of)).disks[disk]?.segments[0];
    if (found === undefined) throw new Error(`barrier ${barrier} has no segment of disk ${disk}`);
    return found;
  }

  async barrier(number: number, of = this.machine): Promise<Barrier> {
    const barrier = await readBarrier(this.#rig.storage, of.item, number);
    if (barrier === null) throw new Error(`there is no barrier ${number}`);
    return barrier;
  }

  /** Header of the first disk's segment of a barrier. */
  async header(barrier: number): Promise<SegmentHeader> {
    const header = decodeHeader((await this.body((await this.ref(barrier)).blob)).subarray(0, HEADER_BYTES));
    if (header === null) throw new Error('no header');
    return header;
  }

  async body(name: string): Promise<Buffer> {
    const stored = await this.#rig.storage.get(name);
    if (stored === null) throw new Error(`${name} does not exist`);
    return Buffer.from(stored.body);
  }

  barrierName(number: number, of = this.machine): string {
    return blobNames.barrier(of.item, number);
  }

  /** Null deletes. Until `putRight`. */
  async spoil(name: string, body: Buffer | null): Promise<void> {
    if (!this.#truth.has(name)) this.#truth.set(name, await this.body(name));
    if (body === null) await this.#rig.storage.delete(name);
    else await this.#rig.storage.put(name, body);
  }

  /** Barrier 2, signed again after `change`. */
  async resign(change: (barrier: Barrier) => Barrier, key = this.machine.key): Promise<void> {
    await this.spoil(this.barrierName(2), encodeBarrier(change(await this.barrier(2)), key));
  }

  /** The first disk's segment of barrier 2 is another one, and the barrier names it as if it were meant. */
  async nameInstead(segment: Buffer, more: Partial<SegmentRef> = {}): Promise<void> {
    const { blob } = await this.ref(2);
    await this.spoil(blob, segment);
    const sha256 = createHash('sha256').update(segment).digest('hex');
    await this.resign((barrier) => ({
      ...barrier,
      disks: barrier.disks.map((disk, index) => {
        const [ref] = disk.segments;
        if (index > 0 || ref === undefined) return disk;
        const named = { ...ref, sha256, lastSeq: ref.firstSeq, ...more };
        return { ...disk, segments: [named], tail: { nextSeq: named.lastSeq + 1, hash: sha256 } };
      }),
    }));
  }

  async putRight(): Promise<void> {
    for (const [name, body] of this.#truth) await this.#rig.storage.put(name, body);
    this.#truth.clear();
  }

  apply(): Promise<unknown> {
    this.#epoch += 1;
    return apply(this.#rig, this.machine, this.#epoch);
  }

  /** Content of the first disk's replica, and the barrier it says it has. */
  async replica(): Promise<{ readonly sha256: string; readonly barrier: number }> {
    const [disk] = this.machine.disks;
    if (disk === undefined) throw new Error('no disk');
    const blob = this.#rig.storage.replica(blobNames.replica(this.machine.item, disk.diskId));
    const content = await blob.read(null, 0, disk.model.length);
    const sha256 = createHash('sha256').update(content).digest('hex');
    return { sha256, barrier: (await readAppliedState(blob))?.barrier ?? 0 };
  }

  /** Numbers of the points there are, oldest first. */
  async points(): Promise<readonly number[]> {
    const points = await listPoints(this.#rig.storage, this.machine.item, never, this.machine.key);
    return points.map(({ barrierNumber }) => barrierNumber).toSorted((a, b) => a - b);
  }

  /** @throws when a point is not what the source was */
  async checkPoints(): Promise<void> {
    for (const point of await listPoints(this.#rig.storage, this.machine.item, never, this.machine.key)) {
      const hashes = await hashesOf(this.#rig, this.machine, point);
      const expected = this.#hashes[point.barrierNumber - 1];
      if (hashes.join() !== expected?.join()) throw new Error(`${point.pointId} is not what the source was`);
    }
  }

  async manifestName(barrier: number, of = this.machine): Promise<string> {
    for await (const { name } of this.#rig.storage.list(blobNames.pointPrefix(of.item))) {
      if (name.endsWith(`${String(barrier).padStart(6, '0')}.json`)) return name;
    }
    throw new Error(`there is no point of barrier ${barrier}`);
  }

  applyStranger(): Promise<unknown> {
    return apply(this.#rig, this.stranger, 2);
  }
}
