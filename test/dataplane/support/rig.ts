/** A vault on a real storage emulator, disks in real files behind NBD, and a model of what the replicas should hold. */
import { createHash } from 'node:crypto';
import { mkdtemp, open, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { applyPending } from '../../../dataplane/apply/apply-pending.ts';
import type { ApplyRequest, ApplyResult } from '../../../dataplane/apply/apply-request.ts';
import { latestBarrier, readBarrier, tailsAfter } from '../../../dataplane/journal/barriers.ts';
import { ItemKey } from '../../../dataplane/keys.ts';
import { hashSnapshot } from '../../../dataplane/points.ts';
import { shipBarrier } from '../../../dataplane/ship/ship-barrier.ts';
import type { ShipRequest, ShipResult } from '../../../dataplane/ship/ship-request.ts';
import { openNbdSource } from '../../../dataplane/source/nbd-source.ts';
import { asId } from '../../../domain/ids.ts';
import type { DiskId, ProtectedItemId } from '../../../domain/ids.ts';
import type { DiskSource, VaultStorage } from '../../../domain/ports.ts';
import { CHAIN_START } from '../../../domain/replication.ts';
import type { Extent, RecoveryPoint, SegmentRef } from '../../../domain/replication.ts';
import { GiB, MiB, roundUp } from '../../../domain/units.ts';
import type { StorageOptions } from '../../../providers/azure/storage/vault-storage.ts';
import { createVaultStorage, ensureContainer } from '../../../providers/azure/storage/vault-storage.ts';
import { startAzurite } from '../../providers/azure/support/azurite.ts';
import { startNbdServer } from './nbd-server.ts';
import type { NbdServer } from './nbd-server.ts';
import type { Random } from './random.ts';

export const never = new AbortController().signal;

/** A source disk: the model in memory, the same bytes in a file, and what changed since they were last shipped. */
export interface TestDisk {
  readonly diskId: DiskId;
  readonly model: Buffer;
  readonly source: DiskSource;
  /** Where its bytes lie. */
  readonly file: string;
  changed: Extent[];
  /** Null fills with zeros. */
  write(offset: number, data: Buffer | null, length: number): Promise<void>;
  sha256(): string;
}

export interface Machine {
  readonly item: ProtectedItemId;
  readonly key: ItemKey;
  readonly disks: readonly TestDisk[];
}

export interface Rig {
  readonly storage: VaultStorage;
  readonly storageOptions: StorageOptions;
  /** Of the storage emulator. */
  readonly port: number;
  readonly cacheFolder: string;
  machine(capacities: readonly number[]): Promise<Machine>;
  /** Files in the cache folder. */
  cached(): Promise<string[]>;
  stop(): Promise<void>;
}

export async function startRig(random: Random): Promise<Rig> {
  const azurite = await startAzurite();
  const folder = await mkdtemp(path.join(tmpdir(), 'switchback-dataplane-'));
  const options = azurite.storage('vault');
  await ensureContainer(options);
  const closers: (() => Promise<void>)[] = [];
  let machines = 0;
  const cacheFolder = path.join(folder, 'cache');
  return {
    storage: createVaultStorage(options),
    storageOptions: options,
    port: Number(new URL(options.accountUrl).port),
    cacheFolder,
    async machine(capacities) {
      machines += 1;
      const item = asId<ProtectedItemId>(`item-${machines}`);
      const disks: TestDisk[] = [];
      for (const capacity of capacities) {
        const { disk, server } = await createDisk(
          path.join(folder, `${item}-${disks.length}`),
          capacity,
          random,
        );
        disks.push(disk);
        closers.push(async () => {
          await disk.source.close();
          await server.stop();
        });
      }
      return { item, key: new ItemKey(random.bytes(32)), disks };
    },
    async cached() {
      const entries = await readdir(cacheFolder, { recursive: true, withFileTypes: true });
      return entries.filter((entry) => entry.isFile()).map((entry) => entry.name);
    },
    async stop() {
      for (const close of closers) await close();
      await azurite.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function createDisk(
  base: string,
  capacity: number,
  random: Random,
): Promise<{ disk: TestDisk; server: NbdServer }> {
  const handle = await open(base, 'w+');
  await handle.truncate(capacity);
  await handle.close();
  const socketPath = `${base}.sock`;
  const server = await startNbdServer({ file: base, exportName: 'disk', socketPath });
  const nbd = { host: '', port: 0, socketPath, exportName: 'disk', close: () => Promise.resolve() };
  const source = await openNbdSource(nbd, never);
  const model = Buffer.alloc(capacity);
  const disk: TestDisk = {
    diskId: asId<DiskId>(random.bytes(16).toString('hex')),
    model,
    source,
    file: base,
    changed: [],
    async write(offset, data, length) {
      model.fill(0, offset, offset + length);
      data?.copy(model, offset, 0, length);
      const file = await open(base, 'r+');
      await file.write(model, offset, length, offset);
      await file.close();
      disk.changed.push({ offset, length });
    },
    // The replica ends on a whole MiB.
    sha256: () =>
      createHash('sha256')
        .update(model)
        .update(Buffer.alloc(roundUp(capacity, MiB) - capacity))
        .digest('hex'),
  };
  return { disk, server };
}

/** Noise, text or zeros at a random place of a random disk. */
export async function scribble(machine: Machine, random: Random, lengthMax: number): Promise<void> {
  const disk = machine.disks[random.int(machine.disks.length)];
  if (disk === undefined) return;
  const sectors = disk.model.length / 512;
  const offset = random.int(sectors) * 512;
  const length = Math.min(disk.model.length - offset, 512 * (1 + random.int(lengthMax / 512)));
  const kind = random.int(3);
  const data = kind === 0 ? random.bytes(length) : Buffer.alloc(length, `scribbled ${random.int(1e6)} `);
  await disk.write(offset, kind === 2 ? null : data, length);
}

/** Everything, as a first replication asks for it. */
export function wholeDisks(machine: Machine): void {
  for (const disk of machine.disks) disk.changed = [{ offset: 0, length: disk.model.length }];
}

/** The next barrier from what changed; takes the changes off the disks. */
export async function ship(
  rig: Rig,
  machine: Machine,
  epoch: number,
  changes: Partial<ShipRequest> & { readonly skipZeros?: boolean } = {},
): Promise<ShipResult> {
  const { skipZeros = false, ...overrides } = changes;
  const { item, key, disks } = machine;
  const storage = overrides.storage ?? rig.storage;
  const previous = await latestBarrier(rig.storage, item);
  const barrierNumber = overrides.barrierNumber ?? (previous?.number ?? 0) + 1;
  const tails = tailsAfter(
    previous,
    disks.map((disk) => disk.diskId),
  );
  const result = await shipBarrier({
    item,
    epoch,
    barrierNumber,
    kind: 'point',
    cycle: barrierNumber === 1 ? 'initial' : 'delta',
    consistency: 'crash',
    sourceTime: new Date(Date.UTC(2030, 0, 1, 0, barrierNumber)).toISOString(),
    snapshotName: `switchback-test-${barrierNumber}`,
    disks: disks.map((disk) => ({
      diskId: disk.diskId,
      capacityBytes: disk.model.length,
      source: disk.source,
      extents: disk.changed,
      tail: tails.get(disk.diskId) ?? CHAIN_START,
      changeId: `52 de/${barrierNumber}`,
      skipZeros,
    })),
    key,
    storage,
    cache: { folder: rig.cacheFolder, freeBytesMin: 0, bytesMax: GiB },
    signal: never,
    onProgress: () => undefined,
    phase: barrierNumber === 1 ? 'initial' : 'delta',
    ...overrides,
  });
  for (const disk of disks) disk.changed = [];
  return result;
}

export function apply(
  rig: Rig,
  machine: Machine,
  epoch: number,
  changes: Partial<ApplyRequest> = {},
): Promise<ApplyResult> {
  return applyPending({
    item: machine.item,
    disks: machine.disks.map(({ diskId, model }) => ({ diskId, capacityBytes: model.length })),
    epoch,
    key: machine.key,
    storage: rig.storage,
    signal: never,
    onProgress: () => undefined,
    ...changes,
  });
}

/** A machine whose first replication is applied as point p000001. */
export async function replicated(rig: Rig, random: Random, capacities: readonly number[]): Promise<Machine> {
  const machine = await rig.machine(capacities);
  for (let count = 0; count < 6; count += 1) await scribble(machine, random, MiB);
  // Chance may have left a disk empty: its first barrier would have no segment.
  for (const disk of machine.disks) await disk.write(0, random.bytes(512), 512);
  wholeDisks(machine);
  await ship(rig, machine, 1, { skipZeros: true });
  await apply(rig, machine, 1);
  return machine;
}

export async function segmentsOf(
  rig: Rig,
  machine: Machine,
  barrierNumber: number,
): Promise<readonly SegmentRef[]> {
  const barrier = await readBarrier(rig.storage, machine.item, barrierNumber);
  return barrier?.disks.flatMap((disk) => disk.segments) ?? [];
}

/** Hashes of the machine's disks as they are now, in the order of its disks. */
export function hashesNow(machine: Machine): string[] {
  return machine.disks.map((disk) => disk.sha256());
}

export function hashesOf(rig: Rig, machine: Machine, point: RecoveryPoint): Promise<string[]> {
  return Promise.all(
    machine.disks.map((disk) => {
      const found = point.disks.find((candidate) => candidate.diskId === disk.diskId);
      if (found === undefined) throw new Error(`point ${point.pointId} has no disk ${disk.diskId}`);
      const bytes = roundUp(found.capacityBytes, MiB);
      return hashSnapshot(rig.storage, found.replicaBlob, found.snapshotId, bytes);
    }),
  );
}

type Before = (what: string) => Promise<unknown> | void;

/** Calls `before` ahead of every request to the storage account, replicas and their writers included, and waits for what it returns. */
export function watched(storage: VaultStorage, before: Before): VaultStorage {
  return watch(storage, before);
}

function watch<T extends object>(target: T, before: Before): T {
  return new Proxy(target, {
    get(inner, name) {
      const value: unknown = Reflect.get(inner, name, inner);
      if (typeof value !== 'function') return value;
      return (...args: unknown[]) => {
        const ready = before(String(name));
        const call = (): unknown => Reflect.apply(value, inner, args);
        const result = ready === undefined ? call() : ready.then(call);
        if (name === 'replica') return watch(result as object, before);
        if (name === 'fence') return (result as Promise<object>).then((writer) => watch(writer, before));
        return result;
      };
    },
  });
}
