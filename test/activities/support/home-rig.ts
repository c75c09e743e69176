/** Both sides of a way home without Temporal: practice vCenter, practice Azure, storage emulator, and the real activities. */
import { join } from 'node:path';
import { createAzureActivities } from '../../../activities/azure/create-azure-activities.ts';
import { createHomeAzureActivities } from '../../../activities/home/create-home-azure-activities.ts';
import { createHomeSiteActivities } from '../../../activities/home/create-home-site-activities.ts';
import { createLandActivities } from '../../../activities/home/create-land-activities.ts';
import { createReverseActivities } from '../../../activities/home/create-reverse-activities.ts';
import type { ReversePorts } from '../../../activities/home/reverse-copy.ts';
import { createCompareActivities } from '../../../activities/replication/create-compare-activities.ts';
import { createCompareMoveActivities } from '../../../activities/replication/create-compare-move-activities.ts';
import { runFinalDelta } from '../../../activities/replication/delta.ts';
import { asId, type RunId } from '../../../domain/ids.ts';
import type { FailbackPolicy, ItemSpec } from '../../../domain/machine.ts';
import { azureNames } from '../../../domain/names.ts';
import type { Cloud, RunScope } from '../../../domain/ports.ts';
import type { AzureSide, HomeCopy, HomePlace, HomeWay } from '../../../workflows/contracts/home.ts';
import { startPracticeCloud, type PracticeCloud } from '../../providers/azure/support/practice-cloud.ts';
import type { InventoryMachine } from '../../providers/vsphere/practice-vcenter.ts';
import { inActivity } from './in-activity.ts';
import {
  BLOCK_BYTES,
  firstPoint,
  hooks,
  startReplicationRig,
  type Machine,
  type ReplicationRig,
} from './replication-rig.ts';

export interface HomeRig {
  readonly rig: ReplicationRig;
  readonly azure: PracticeCloud;
  readonly cloud: Cloud;
  readonly reversePorts: ReversePorts;
  readonly activities: Activities;
  /** A protected machine that was failed over: off at home, running in Azure, with the data of its last point. */
  failedOver(name: string, options?: FailOverOptions): Promise<FailedOver>;
  stop(): Promise<void>;
}

export interface FailOverOptions {
  /** False: no snapshots before the first boot. */
  readonly withBaseline?: boolean;
}

export interface FailedOver {
  readonly machine: Machine;
  readonly item: ItemSpec;
  readonly side: AzureSide;
  /** The guest in Azure fills a block with bytes of its own. */
  writeInAzure(offset: number, diskIndex?: number): Promise<void>;
  clearInAzure(offset: number): Promise<void>;
  /** Of the Azure disks, in disk order, as long as the VMDKs. */
  azureHashes(): Promise<string[]>;
  prepare(place?: HomePlace, generation?: number): Promise<HomeWay>;
  /** Reprotect up to its first landed state. */
  reprotect(
    place?: HomePlace,
  ): Promise<{ readonly way: HomeWay; readonly copy: HomeCopy; readonly wireBytes: number }>;
}

type Activities = ReturnType<typeof activitiesOf>;

const LOOPBACK = { wanted: 'required', host: '127.0.0.1' } as const;
const failbackPolicy: FailbackPolicy = {
  id: asId('gold-failback'),
  intervalSeconds: 60,
  rpoThresholdSeconds: 900,
};

export async function startHomeRig(inventory: readonly InventoryMachine[]): Promise<HomeRig> {
  const azure = await startPracticeCloud();
  const rig = await startReplicationRig(inventory, azure.storage);
  // A test's next step must not wait for a lock that nobody holds any more.
  await rig.practice.lab('POST', 'write-lease', { ms: 0 });
  const cloud = azure.cloud();
  const reversePorts: ReversePorts = { ...rig.ports, cloud };
  const activities = activitiesOf(rig, reversePorts);
  let runs = 0;
  return {
    rig,
    azure,
    cloud,
    reversePorts,
    activities,
    async failedOver(name, options = {}) {
      runs += 1;
      return failOver({ rig, azure, cloud, activities }, name, asId<RunId>(`run-${runs}`), options);
    },
    stop: async () => {
      await rig.stop();
      await azure.stop();
    },
  };
}

function activitiesOf(rig: ReplicationRig, reverse: ReversePorts) {
  const { ports } = rig;
  const { cloud, storage, vaultKey } = reverse;
  const cacheFolder = join(ports.cache.folder, 'land');
  return {
    azure: createAzureActivities({ cloud, storage, vaultKey }),
    homeAzure: createHomeAzureActivities({ cloud, storage }),
    homeSite: createHomeSiteActivities({ ...ports, link: LOOPBACK }),
    reverse: createReverseActivities(reverse),
    land: createLandActivities({ ...ports, cacheFolder }),
    compare: createCompareActivities({ storage, vaultKey }),
    compareMove: createCompareMoveActivities(ports),
  };
}

async function failOver(
  around: Pick<HomeRig, 'rig' | 'azure' | 'cloud' | 'activities'>,
  name: string,
  runId: RunId,
  { withBaseline = true }: FailOverOptions,
): Promise<FailedOver> {
  const { rig, azure, activities } = around;
  const machine = await rig.machine(name);
  for (const mib of [1, 3, 5]) await machine.write(mib * 2 ** 20);
  await firstPoint(rig.ports, machine);
  await machine.write(7 * 2 ** 20);
  await machine.power('poweredOff');
  await runFinalDelta(rig.ports, { item: machine.item, epoch: 2 }, hooks());
  const { point } = await machine.newestPoint();
  const target = { ...machine.item.target, location: azure.location, subnetId: azure.subnets.production };
  const item = { ...machine.item, target };
  const scope: RunScope = {
    runId,
    itemId: item.itemId,
    mode: 'real',
    resourceGroup: azureNames.resourceGroup(runId),
    location: azure.location,
  };
  const side = await makeInAzure(around, { item, scope, point, withBaseline });
  const place = async (path: string, offset: number, length: number, more: object, diskIndex = 0) => {
    await azure.lab('POST', `/_lab/disks/${path}`, { id: side.diskIds[diskIndex], offset, length, ...more });
  };
  let seed = 1_000;
  let epoch = 10;
  const prepare = (place: HomePlace = {}, generation = 1) =>
    inActivity(() =>
      activities.homeSite.prepareHomeMachine({
        item,
        azure: side,
        place,
        generation,
        policy: failbackPolicy,
      }),
    );
  return {
    machine,
    item,
    side,
    prepare,
    writeInAzure: (offset, diskIndex) => {
      seed += 1;
      return place('write', offset, BLOCK_BYTES, { seed }, diskIndex);
    },
    clearInAzure: (offset) => place('clear', offset, BLOCK_BYTES, {}),
    azureHashes: () =>
      Promise.all(
        side.diskIds.map(async (id) => {
          const found = await azure.lab('GET', `/_lab/disks/hash?id=${encodeURIComponent(id)}`);
          return (found as { sha256: string }).sha256;
        }),
      ),
    async reprotect(place = {}) {
      const way = await prepare(place);
      epoch += 1;
      const { copy } = way.home.isOriginal
        ? await inActivity(() => activities.land.describeHomeDisks({ way, epoch }))
        : { copy: 'full' as const };
      await inActivity(() => activities.homeSite.openHomeForWriting({ way }));
      const shipped = await inActivity(() =>
        activities.reverse.reverseFirstCopy({ way, sessionEpoch: epoch, copy }),
      );
      await inActivity(() =>
        activities.land.landUntil({ way, sessionEpoch: epoch, barrierNumber: shipped.barrierNumber }),
      );
      return { way, copy, wireBytes: shipped.wireBytes };
    },
  };
}

async function makeInAzure(
  { activities }: Pick<HomeRig, 'activities'>,
  run: {
    readonly item: ItemSpec;
    readonly scope: RunScope;
    readonly point: AzureSide['point'];
    readonly withBaseline: boolean;
  },
): Promise<AzureSide> {
  const { item, scope, point } = run;
  const { machineName } = item;
  const { azure, homeAzure } = activities;
  await inActivity(() => azure.prepareRunGroup({ scope }));
  const diskIds = await Promise.all(
    point.disks.map(async (disk, index) => {
      const staged = await inActivity(() => azure.beginStageDisk({ runId: scope.runId, point, disk }));
      const { url: sourceUrl } = await inActivity(() => azure.awaitStageDisk(staged));
      const wanted = {
        name: azureNames.disk(machineName, index),
        sourceUrl,
        isOsDisk: index === 0,
        osType: 'Linux' as const,
        generation: 'V1' as const,
      };
      const begun = await inActivity(() => azure.beginDiskImport({ scope, disk: wanted }));
      return (await inActivity(() => azure.awaitDisk({ begun }))).resourceId;
    }),
  );
  const baseline = run.withBaseline
    ? await inActivity(() => homeAzure.takeBaseline({ scope, machineName, diskIds }))
    : { snapshotIds: [] };
  const nic = { name: azureNames.nic(machineName), subnetId: item.target.subnetId };
  const nicBegun = await inActivity(() => azure.beginNic({ scope, nic }));
  const { resourceId: nicId } = await inActivity(() => azure.awaitNic({ begun: nicBegun }));
  await inActivity(() => homeAzure.takeFence({ item, owner: 'azure', number: 1 }));
  const vm = {
    name: azureNames.vm(machineName, 'real'),
    size: item.target.vmSize,
    osType: 'Linux',
    diskIds,
    nicId,
  } as const;
  const begun = await inActivity(() => azure.beginVm({ scope, vm, fence: { item, number: 1 } }));
  const { resourceId: vmId } = await inActivity(() => azure.awaitVmRunning({ begun }));
  const { runId, resourceGroup, location } = scope;
  return { runId, vmId, diskIds, resourceGroup, location, point, baselineSnapshotIds: baseline.snapshotIds };
}
