/** Azure calls of the way home and of its undo. Polled from `azure.<region>` and `urgent.azure.<region>`. */
import { DrError } from '../../domain/errors.ts';
import type { ItemSpec } from '../../domain/machine.ts';
import { azureNames } from '../../domain/names.ts';
import type { Cloud, RunScope, VaultStorage } from '../../domain/ports.ts';
import { azureDiskBytes } from '../../domain/units.ts';
import type { AzureSide, HomeAzureActivities } from '../../workflows/contracts/home.ts';
import { readFence, requireFence, takeFence } from '../../dataplane/fence.ts';
import { toJobError } from '../failure.ts';
import { supervised } from '../supervise.ts';
import { scopeOf } from './azure-side.ts';
import { deleteSnapshots } from './azure-snapshots.ts';

export interface HomeAzurePorts {
  readonly cloud: Cloud;
  readonly storage: VaultStorage;
}

interface Beat {
  readonly flush: () => void;
  readonly signal: AbortSignal;
}

export function createHomeAzureActivities({ cloud, storage }: HomeAzurePorts): HomeAzureActivities {
  const stop = async (scope: RunScope, vmId: string, { flush, signal }: Beat) => {
    const begun = await cloud.beginDeallocate(scope, vmId);
    if (begun.poller !== null) await cloud.awaitDeallocated(begun, flush, signal);
  };
  return {
    checkAzureSide: ({ item, azure }) =>
      supervised(async () => (await azureSideProblems(cloud, item, azure)).map(toJobError)),

    takeBaseline: ({ scope, machineName, diskIds }) =>
      supervised(async ({ flush, signal }) => {
        const begun = await Promise.all(
          diskIds.map((diskId, index) =>
            cloud.beginSnapshot(scope, { name: azureNames.snapshot(machineName, index, 0), diskId }),
          ),
        );
        const made = await Promise.all(begun.map((each) => cloud.awaitSnapshot(each, flush, signal)));
        return { snapshotIds: made.map(({ resourceId }) => resourceId) };
      }),

    stopAzureMachine: ({ item, azure }) =>
      supervised(async (beat) => {
        await stop(scopeOf(item.itemId, azure), azure.vmId, beat);
        const vm = await cloud.vm(azure.vmId);
        if (vm === null) return { state: 'absent' };
        if (vm.powerState === 'deallocated') return { state: 'deallocated' };
        throw new DrError('DR_AZURE_NOT_STOPPED', { machine: item.machineName, state: vm.powerState });
      }),

    azurePowerState: ({ azure }) =>
      supervised(async () => ({ state: (await cloud.vm(azure.vmId))?.powerState ?? 'absent' })),

    /** Looks at the fence again once the machine runs: an attempt that was overtaken takes back what it did. */
    startAzureMachine: ({ item, azure, fence }) =>
      supervised(async (beat) => {
        const { itemId, machineName } = item;
        const scope = scopeOf(itemId, azure);
        const right = { item: itemId, machineName, owner: 'azure', number: fence } as const;
        await requireFence(storage, right);
        const begun = await cloud.beginStart(scope, azure.vmId);
        const vm = await cloud.awaitVmRunning(begun, beat.flush, beat.signal);
        try {
          await requireFence(storage, right);
        } catch (error) {
          // A newer run of the same side goes on with the machine that this one started.
          const isOvertaken = error instanceof DrError && error.code === 'DR_FENCE_HELD';
          if (isOvertaken && (await readFence(storage, itemId)).owner === 'onPremises') {
            await stop(scope, azure.vmId, beat);
          }
          throw error;
        }
        return { state: vm.powerState };
      }),

    takeFence: ({ item, owner, number }) =>
      supervised(async () => {
        const { itemId, machineName } = item;
        const fence = await takeFence(storage, { item: itemId, machineName, owner, number });
        return { number: fence.number };
      }),

    readFence: ({ item }) => supervised(() => readFence(storage, item.itemId)),

    deleteReverseSnapshots: ({ way }) =>
      supervised(async ({ flush, signal }) => {
        const deleted = await deleteSnapshots(cloud, way, (number) => number >= 1, { beat: flush, signal });
        // The baseline stays, and a killed attempt may have been reading it.
        await cloud.endSnapshotAccess(scopeOf(way.item.itemId, way.azure));
        return { deleted };
      }),
  };
}

async function azureSideProblems(cloud: Cloud, item: ItemSpec, azure: AzureSide): Promise<DrError[]> {
  const gone = (reason: string) =>
    new DrError('DR_AZURE_MACHINE_GONE', { machine: item.machineName, reason });
  const vm = await cloud.vm(azure.vmId);
  const ofDisks = await Promise.all(
    item.disks.map(async (disk, position) => {
      const facts = await cloud.disk(azure.diskIds[position] ?? '');
      if (facts === null) return [gone(`disk "${disk.label}" does not exist any more`)];
      const bytes = azureDiskBytes(disk.capacityBytes);
      return [
        ...(facts.attachedTo?.toLowerCase() === azure.vmId.toLowerCase()
          ? []
          : [gone(`disk "${disk.label}" is not attached to it any more`)]),
        ...(facts.bytes === bytes
          ? []
          : [gone(`disk "${disk.label}" had ${bytes} bytes and has ${facts.bytes} now`)]),
      ];
    }),
  );
  return [...(vm === null ? [gone('it does not exist any more')] : []), ...ofDisks.flat()];
}
