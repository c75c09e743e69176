/**
 * One machine under random writes, shipments and applications that break, repeat and come back late, beside a model of
 * what every barrier has to hold. The model learns from the journal who made a barrier, never from the attempt itself.
 */
import { copyFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { expect } from '@jest/globals';
import { readAppliedState } from '../../../dataplane/apply/replica.ts';
import { readBarrier, tailsAfter } from '../../../dataplane/journal/barriers.ts';
import { listPoints } from '../../../dataplane/points.ts';
import { openNbdSource } from '../../../dataplane/source/nbd-source.ts';
import { blobNames } from '../../../domain/names.ts';
import type { DiskSource, VaultStorage } from '../../../domain/ports.ts';
import type { Barrier, Extent } from '../../../domain/replication.ts';
import { CHAIN_START } from '../../../domain/replication.ts';
import { GiB, MiB, SECTOR_BYTES, roundUp } from '../../../domain/units.ts';
import { createVaultStorage } from '../../../providers/azure/storage/vault-storage.ts';
import { startNbdServer } from './nbd-server.ts';
import type { Machine, Rig } from './rig.ts';
import { apply, never, ship } from './rig.ts';
import { Wire } from './wire.ts';
import type { FaultKind, WireFault } from './wire.ts';

export interface DiskWrite {
  readonly disk: number;
  readonly extent: Extent;
  readonly data: Buffer | null;
}

/** How one attempt goes. A wire that is held makes it come back when everybody else has gone on. */
export interface AttemptPlan {
  readonly faults: readonly WireFault[];
  /** Shares the cache folder with the other attempts, as on one process server. */
  readonly sharesCache: boolean;
  /** Reads what the attempt before it read, if that was for the same barrier, and may go on from what that one left. */
  readonly resumes: boolean;
}

/** The source as an attempt saw it. */
interface Capture {
  readonly id: number;
  readonly barrierNumber: number;
  readonly writes: number;
  readonly models: readonly Buffer[];
  readonly sources: readonly DiskSource[];
}

interface Late {
  readonly epoch: number;
  readonly wire: Wire;
  readonly ending: Promise<unknown>;
  readonly applies: boolean;
}

const UNDISTURBED: AttemptPlan = { faults: [], sharesCache: false, resumes: false };

export class History {
  readonly #rig: Rig;
  readonly #machine: Machine;
  readonly #writes: DiskWrite[] = [];
  readonly #captures = new Map<number, Capture>();
  readonly #barriers: { readonly barrier: Barrier; readonly capture: Capture }[] = [];
  readonly #late: Late[] = [];
  readonly #closers: (() => Promise<void>)[] = [];
  readonly #struck = new Set<FaultKind>();
  #epoch = 0;
  #lastShipEpoch = 0;
  #appliedEpoch = 0;
  #appliedBarrier = 0;

  constructor(rig: Rig, machine: Machine) {
    this.#rig = rig;
    this.#machine = machine;
  }

  async write({ disk: at, extent, data }: DiskWrite): Promise<void> {
    const index = at % this.#machine.disks.length;
    const disk = this.#machine.disks[index];
    if (disk === undefined) throw new Error('no disk');
    const offset = extent.offset % disk.model.length;
    const length = Math.min(extent.length, disk.model.length - offset);
    await disk.write(offset, data, length);
    this.#writes.push({ disk: index, extent: { offset, length }, data: null });
  }

  /** One attempt at the next barrier. Broken, it may be tried again: with what the source is by then. */
  async ship(kind: Barrier['kind'], plan: AttemptPlan): Promise<void> {
    const epoch = this.#nextEpoch();
    const wire = await Wire.to(this.#rig.port, plan.faults);
    const shipping = this.#shipFrom(epoch, kind, plan, this.#through(wire));
    const result = await this.#seeThrough({ epoch, wire, ending: shipping, applies: false }, plan);
    await this.#learn();
    this.#checkShipped(result);
  }

  async apply(plan: AttemptPlan, barriersMax: number): Promise<void> {
    const epoch = this.#nextEpoch();
    const before = await this.#states();
    const wire = await Wire.to(this.#rig.port, plan.faults);
    const applying = apply(this.#rig, this.#machine, epoch, { storage: this.#through(wire), barriersMax });
    const result = await this.#seeThrough({ epoch, wire, ending: applying, applies: true }, plan);
    if (isApplied(result)) {
      this.#appliedEpoch = epoch;
      this.#appliedBarrier = result.appliedBarrier;
      await this.#checkContents(this.#modelsAt(result.appliedBarrier));
    } else {
      await this.#checkSectors(before);
    }
    await this.#checkPoints();
  }

  /** Those that were held go on, after all that has happened meanwhile. */
  async wakeLate(): Promise<void> {
    for (const late of this.#late.splice(0)) {
      const before = late.applies ? await this.#contents() : [];
      late.wire.release();
      const result = await late.ending;
      await late.wire.close();
      await this.#learn();
      this.#checkShipped(result);
      const isOvertaken = late.applies && late.epoch < this.#appliedEpoch;
      if (isOvertaken) {
        // One that had nothing but an answer to wait for has done its work before, and may say so.
        // One whose line has died since cannot be told that it was overtaken.
        const code = late.wire.struck.includes('dead')
          ? expect.stringMatching(/^DR_(REPLICATION_FENCED|STORAGE_UNREACHABLE)$/)
          : 'DR_REPLICATION_FENCED';
        if (!isApplied(result)) expect(result).toMatchObject({ code });
        await this.#checkContents(before);
      } else if (late.applies && isApplied(result)) {
        this.#appliedEpoch = late.epoch;
        this.#appliedBarrier = result.appliedBarrier;
      }
      await this.#checkPoints();
    }
  }

  /** After one barrier and one application that nothing disturbs, all that is durable is applied, and every point is whole. */
  async end(): Promise<void> {
    await this.wakeLate();
    await this.ship('point', UNDISTURBED);
    await this.apply(UNDISTURBED, 64);
    expect(this.#appliedBarrier).toBe(this.#barriers.length);
    await this.#checkContents(this.#machine.disks.map(({ model }) => model));
  }

  /** In any state; what is held is let go. */
  async close(): Promise<void> {
    for (const { wire, ending } of this.#late.splice(0)) {
      await wire.close();
      await ending;
    }
    for (const close of this.#closers) await close();
  }

  /** `faults`: those that struck. */
  get summary(): {
    readonly barriers: number;
    readonly epochs: number;
    readonly faults: ReadonlySet<FaultKind>;
  } {
    return { barriers: this.#barriers.length, epochs: this.#epoch, faults: this.#struck };
  }

  #nextEpoch(): number {
    this.#epoch += 1;
    return this.#epoch;
  }

  #through(wire: Wire): VaultStorage {
    const options = this.#rig.storageOptions;
    const url = new URL(options.accountUrl);
    url.port = String(wire.port);
    return createVaultStorage({ ...options, accountUrl: url.href, retry: { triesMax: 4, delayMs: 2 } });
  }

  /** The attempt's end, or undefined while it is held. A killed one ends as the dead do: it never says so. */
  async #seeThrough(late: Late, plan: AttemptPlan): Promise<unknown> {
    const ending = late.ending.catch((error: unknown) => error);
    const outcome = await Promise.race([ending, late.wire.holds.then(() => undefined)]);
    if (outcome === undefined && plan.faults.some(({ kind }) => kind === 'held')) {
      this.#struck.add('held');
      this.#late.push({ ...late, ending });
      return undefined;
    }
    for (const kind of late.wire.struck) this.#struck.add(kind);
    await late.wire.close();
    if (plan.faults.length === 0 && outcome instanceof Error) throw outcome;
    return outcome;
  }

  async #shipFrom(epoch: number, kind: Barrier['kind'], plan: AttemptPlan, storage: VaultStorage) {
    const { item, disks } = this.#machine;
    const last = this.#barriers.at(-1);
    const barrierNumber = this.#barriers.length + 1;
    const before = this.#captures.get(this.#lastShipEpoch);
    const isAgain = plan.resumes && before?.barrierNumber === barrierNumber;
    const capture = isAgain ? before : await this.#capture(epoch, barrierNumber);
    this.#captures.set(epoch, capture);
    this.#lastShipEpoch = epoch;
    const tails = tailsAfter(
      last?.barrier ?? null,
      disks.map(({ diskId }) => diskId),
    );
    const changed = this.#writes.slice(last?.capture.writes ?? 0, capture.writes);
    const folder = path.join(this.#rig.cacheFolder, plan.sharesCache ? 'shared' : `${item}-${epoch}`);
    return ship(this.#rig, this.#machine, epoch, {
      kind,
      barrierNumber,
      storage,
      sourceTime: new Date(Date.UTC(2030, 0, 1, 0, capture.id)).toISOString(),
      snapshotName: `switchback-test-${capture.id}`,
      isResumable: true,
      cache: { folder, freeBytesMin: 0, bytesMax: GiB },
      disks: disks.map(({ diskId, model }, index) => ({
        diskId,
        capacityBytes: model.length,
        source: capture.sources[index] as DiskSource,
        extents:
          last === undefined
            ? [{ offset: 0, length: model.length }]
            : changed.filter(({ disk }) => disk === index).map(({ extent }) => extent),
        tail: tails.get(diskId) ?? CHAIN_START,
        changeId: `52 de/${barrierNumber}`,
        skipZeros: last === undefined,
      })),
    });
  }

  /** The source as it is now. Its name tells it from every other state. */
  async #capture(id: number, barrierNumber: number): Promise<Capture> {
    const { disks } = this.#machine;
    const models = disks.map(({ model }) => Buffer.from(model));
    const writes = this.#writes.length;
    const sources = await Promise.all(disks.map((_disk, index) => this.#freeze(id, index)));
    return { id, barrierNumber, writes, models, sources };
  }

  /** A snapshot of the source's file behind an export of its own. */
  async #freeze(id: number, index: number): Promise<DiskSource> {
    const base = this.#machine.disks[index]?.file ?? '';
    const file = `${base}-${id}`;
    await copyFile(base, file);
    const socketPath = `${file}.sock`;
    const server = await startNbdServer({ file, exportName: 'frozen', socketPath });
    const nbd = { host: '', port: 0, socketPath, exportName: 'frozen', close: () => Promise.resolve() };
    const source = await openNbdSource(nbd, never);
    this.#closers.push(async () => {
      await source.close();
      await server.stop();
      await rm(file);
    });
    return source;
  }

  /** Who has made which barrier stands in the journal. */
  async #learn(): Promise<void> {
    for (;;) {
      const { storage } = this.#rig;
      const { item, key } = this.#machine;
      const barrier = await readBarrier(storage, item, this.#barriers.length + 1, never, key);
      if (barrier === null) return;
      const capture = this.#captures.get(barrier.epoch);
      if (capture === undefined) throw new Error(`nobody had epoch ${barrier.epoch}`);
      this.#barriers.push({ barrier, capture });
    }
  }

  /** An attempt that ended well answers what stands in the journal, whoever has made it. */
  #checkShipped(result: unknown): void {
    if (!isShipped(result)) return;
    const standing = this.#barriers[result.barrier.number - 1]?.barrier;
    expect(result).toEqual({ barrier: standing, adopted: result.adopted });
  }

  #modelsAt(barrier: number): readonly Buffer[] {
    const empty = this.#machine.disks.map(({ model }) => Buffer.alloc(model.length));
    return barrier === 0 ? empty : (this.#barriers[barrier - 1]?.capture.models ?? empty);
  }

  async #states(): Promise<number[]> {
    const { item, disks } = this.#machine;
    return Promise.all(
      disks.map(async ({ diskId }) => {
        const state = await readAppliedState(this.#rig.storage.replica(blobNames.replica(item, diskId)));
        return state?.barrier ?? 0;
      }),
    );
  }

  async #contents(): Promise<Buffer[]> {
    const { item, disks } = this.#machine;
    return Promise.all(
      disks.map(async ({ diskId, model }) => {
        const replica = this.#rig.storage.replica(blobNames.replica(item, diskId));
        if ((await replica.properties()) === null) return Buffer.alloc(model.length);
        return Buffer.from(await replica.read(null, 0, model.length));
      }),
    );
  }

  async #checkContents(expected: readonly Buffer[]): Promise<void> {
    for (const [index, content] of (await this.#contents()).entries()) {
      if (expected[index]?.equals(content) !== true)
        throw new Error(`disk ${index} is not what it has to be`);
    }
  }

  /**
   * Replicas of an application that broke say a barrier that is not behind what they said, and every sector is that of
   * this barrier or of one behind it: nothing that no barrier names, nothing of before.
   */
  async #checkSectors(before: readonly number[]): Promise<void> {
    const states = await this.#states();
    for (const [index, content] of (await this.#contents()).entries()) {
      const state = states[index] ?? 0;
      expect(state).toBeGreaterThanOrEqual(before[index] ?? 0);
      expect(state).toBeLessThanOrEqual(this.#barriers.length);
      const allowed = Array.from({ length: this.#barriers.length - state + 1 }, (_unused, ahead) =>
        this.#modelsAt(state + ahead),
      );
      for (let at = 0; at < content.length; at += SECTOR_BYTES) {
        const end = at + SECTOR_BYTES;
        const isKnown = allowed.some((models) => models[index]?.compare(content, at, end, at, end) === 0);
        if (!isKnown) throw new Error(`disk ${index} has at ${at} what no barrier from ${state} on has`);
      }
    }
  }

  /** There is a point for every point barrier that is applied, for no other one, and each holds what the source was. */
  async #checkPoints(): Promise<void> {
    const { item, key, disks } = this.#machine;
    const { storage } = this.#rig;
    const applied = Math.min(...(await this.#states()));
    const points = await listPoints(storage, item, never, key);
    const numbers = points.map(({ barrierNumber }) => barrierNumber).toSorted((a, b) => a - b);
    const due = this.#barriers
      .map(({ barrier }) => barrier)
      .filter(({ kind, number }) => kind === 'point' && number <= applied)
      .map(({ number }) => number);
    // The last one may be applied and its point still to be made.
    expect([due, due.slice(0, -1)]).toContainEqual(numbers);
    for (const point of points) {
      const models = this.#modelsAt(point.barrierNumber);
      for (const [index, { diskId }] of disks.entries()) {
        const held = point.disks.find((disk) => disk.diskId === diskId);
        const model = models[index];
        if (held === undefined || model === undefined)
          throw new Error(`${point.pointId} lacks disk ${index}`);
        const bytes = roundUp(model.length, MiB);
        const content = await storage.replica(held.replicaBlob).read(held.snapshotId, 0, bytes);
        const isEqual = model.equals(content.subarray(0, model.length));
        if (!isEqual) throw new Error(`${point.pointId} of disk ${index} is not the source at its barrier`);
      }
    }
  }
}

function isApplied(result: unknown): result is { readonly appliedBarrier: number } {
  return typeof result === 'object' && result !== null && 'appliedBarrier' in result;
}

function isShipped(result: unknown): result is { readonly barrier: Barrier; readonly adopted: boolean } {
  return typeof result === 'object' && result !== null && 'adopted' in result;
}
