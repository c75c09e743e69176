/** Replication without Temporal: practice vCenter, storage emulator, and the real parts between them. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CycleHooks } from '../../../activities/replication/frozen-state.ts';
import type { MovePorts } from '../../../activities/replication/read-cycle.ts';
import { runInitialCopy } from '../../../activities/replication/initial-copy.ts';
import { createSiteActivities } from '../../../activities/vsphere/create-site-activities.ts';
import { applyPending } from '../../../dataplane/apply/apply-pending.ts';
import { ensureItemKey } from '../../../dataplane/keys.ts';
import { hashSnapshot, listPoints } from '../../../dataplane/points.ts';
import { asId, type ProtectedItemId } from '../../../domain/ids.ts';
import type { ItemSpec } from '../../../domain/machine.ts';
import type { VCenterSession } from '../../../domain/ports.ts';
import type { Barrier, RecoveryPoint } from '../../../domain/replication.ts';
import { GiB, MiB } from '../../../domain/units.ts';
import {
  createVaultStorage,
  ensureContainer,
  type StorageOptions,
} from '../../../providers/azure/storage/vault-storage.ts';
import { createFileVaultKey, createVaultKeyFile } from '../../../providers/vault/file-vault-key.ts';
import { createVCenterDirectory } from '../../../providers/vault/vcenter-directory.ts';
import { createExportServiceTransport } from '../../../providers/vsphere/transport/export-service.ts';
import { createVSphere, type VSphereClient } from '../../../providers/vsphere/vsphere.ts';
import { startAzurite } from '../../providers/azure/support/azurite.ts';
import {
  startPracticeVCenter,
  type InventoryMachine,
  type PracticeVCenter,
} from '../../providers/vsphere/practice-vcenter.ts';
import { samplePolicy } from '../../support/samples.ts';

/** Guest writes are blocks of this size at multiples of it; twice the gap that reads bridge. */
export const BLOCK_BYTES = 128 * 1024;

export interface ReplicationRig {
  readonly practice: PracticeVCenter;
  readonly vsphere: VSphereClient;
  readonly session: VCenterSession;
  readonly ports: MovePorts;
  /** A machine of the inventory, checked, tracked, with its data key. */
  machine(name: string): Promise<Machine>;
  stop(): Promise<void>;
}

/** A protected machine with hands on both ends: its guest, and its recovery points. */
export interface Machine {
  readonly item: ItemSpec;
  /** The guest fills a block with bytes of its own; `diskIndex` is 0 unless given. */
  write(offset: number, diskIndex?: number): Promise<void>;
  zero(offset: number): Promise<void>;
  power(state: 'poweredOn' | 'poweredOff'): Promise<void>;
  /** Hashes of all disks as they are now, or as the newest snapshot of that name froze them. */
  hashes(snapshotName?: string): Promise<string[]>;
  snapshotNames(): Promise<readonly string[]>;
  /** Applies everything durable and hashes the newest recovery point's disks; `item` when its disks have changed since. */
  newestPoint(
    epoch?: number,
    item?: ItemSpec,
  ): Promise<{ readonly point: RecoveryPoint; readonly hashes: string[] }>;
  points(): Promise<readonly RecoveryPoint[]>;
}

/** `account`: a storage account that is there already, and stays. */
export async function startReplicationRig(
  inventory: readonly InventoryMachine[],
  account?: StorageOptions,
): Promise<ReplicationRig> {
  const [practice, azurite] = await Promise.all([
    startPracticeVCenter(inventory),
    account === undefined ? startAzurite() : undefined,
  ]);
  const folder = await mkdtemp(join(tmpdir(), 'switchback-replication-'));
  const options = account ?? azurite?.storage('vault');
  if (options === undefined) throw new Error('there is no storage account');
  await ensureContainer(options);
  await createVaultKeyFile(join(folder, 'vault.key'));
  const storage = createVaultStorage(options);
  const vaultKey = await createFileVaultKey(join(folder, 'vault.key'));
  const vcenters = createVCenterDirectory(storage, vaultKey);
  await vcenters.save(practice.connection);
  const vsphere = createVSphere();
  const ports: MovePorts = {
    vsphere,
    vcenters,
    storage,
    vaultKey,
    transport: createExportServiceTransport(vsphere),
    cache: { folder: join(folder, 'cache'), freeBytesMin: 0, bytesMax: GiB },
  };
  const session = vsphere.session(practice.connection);
  return {
    practice,
    vsphere,
    session,
    ports,
    machine: async (name) => {
      const item = await itemOf(ports, practice, name);
      await session.enableChangeTracking(item.machineId, () => undefined);
      await ensureItemKey(storage, vaultKey, item.itemId);
      return machineOf(ports, practice, session, item);
    },
    stop: async () => {
      await vsphere.close();
      await practice.stop();
      await azurite?.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function itemOf(ports: MovePorts, practice: PracticeVCenter, name: string): Promise<ItemSpec> {
  const id = await practice.machineId(name);
  return createSiteActivities(ports).checkMachine({
    operationId: asId('protect'),
    requestedBy: { principal: 'test', requestId: 'r' },
    itemId: asId<ProtectedItemId>(id),
    machineName: name,
    vcenterId: practice.connection.id,
    site: 'onprem',
    policy: samplePolicy,
    target: { location: 'westeurope', vmSize: 'Standard_D2s_v5', subnetId: '/subnets/a' },
    excludedDisks: [],
  });
}

function machineOf(
  ports: MovePorts,
  practice: PracticeVCenter,
  session: VCenterSession,
  item: ItemSpec,
): Machine {
  const { storage } = ports;
  const machine = item.machineName;
  let seed = 0;
  let applyEpoch = 0;
  const keyOf = (diskIndex: number) => item.disks[diskIndex]?.deviceKey ?? 0;
  const guestWrites = async (diskIndex: number, offset: number, content: object) => {
    await practice.lab('POST', 'guest/write', { machine, deviceKey: keyOf(diskIndex), offset, ...content });
  };
  const points = () => listPoints(storage, item.itemId);
  return {
    item,
    points,
    write: async (offset, diskIndex = 0) => {
      seed += 1;
      await guestWrites(diskIndex, offset, { seed, length: BLOCK_BYTES });
    },
    zero: (offset) => guestWrites(0, offset, { hex: '00'.repeat(BLOCK_BYTES) }),
    power: async (state) => {
      await practice.lab('POST', 'power', { machine, state });
    },
    hashes: (snapshotName) =>
      Promise.all(
        item.disks.map(async ({ deviceKey }) => {
          const frozen = snapshotName === undefined ? {} : { snapshot: snapshotName };
          const query = new URLSearchParams({ machine, deviceKey: String(deviceKey), ...frozen });
          const { sha256 } = (await practice.lab('GET', `hash?${query.toString()}`)) as { sha256: string };
          return sha256;
        }),
      ),
    snapshotNames: async () => (await session.getMachine(item.machineId)).snapshotNames,
    newestPoint: async (epoch, changed = item) => {
      applyEpoch = epoch ?? applyEpoch + 1;
      await applyPending({
        item: item.itemId,
        disks: changed.disks,
        epoch: applyEpoch,
        key: await ensureItemKey(storage, ports.vaultKey, item.itemId),
        storage,
        signal: new AbortController().signal,
        onProgress: () => undefined,
      });
      const [point] = await points();
      if (point === undefined) throw new Error('there is no recovery point');
      const hashes = await Promise.all(
        point.disks.map((disk) =>
          hashSnapshot(storage, disk.replicaBlob, disk.snapshotId, disk.capacityBytes),
        ),
      );
      return { point, hashes };
    },
  };
}

/** Hooks of an attempt that `controller` can end. */
export function hooks(controller = new AbortController()): CycleHooks {
  return { signal: controller.signal, onProgress: () => undefined, beat: () => undefined };
}

/** First copy without incident: barrier 1 of epoch 1, applied. */
export async function firstPoint(ports: MovePorts, machine: Machine): Promise<Barrier> {
  const barrier = await runInitialCopy(ports, { item: machine.item, epoch: 1 }, hooks(), () => undefined);
  await machine.newestPoint();
  return barrier;
}

export function readBytesOf(barriers: readonly Barrier[]): number {
  return barriers.flatMap((barrier) => barrier.disks).reduce((sum, disk) => sum + disk.readBytes, 0);
}

/** A place on the disk, in whole MiB. */
export const at = (mib: number) => mib * MiB;
