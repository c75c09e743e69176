/** The Azure machine of a way home, as the cloud is asked about it. Pure. */
import type { ProtectedItemId } from '../../domain/ids.ts';
import { azureNames } from '../../domain/names.ts';
import type { RunScope } from '../../domain/ports.ts';
import type { AzureSide, HomeWay } from '../../workflows/contracts/home.ts';

export function scopeOf(itemId: ProtectedItemId, azure: AzureSide): RunScope {
  return {
    runId: azure.runId,
    itemId,
    mode: 'real',
    resourceGroup: azure.resourceGroup,
    ...(azure.sharedGroup === undefined ? {} : { sharedGroup: azure.sharedGroup }),
    location: azure.location,
  };
}

/** Number of an Azure snapshot that `azureNames.snapshot` named for a disk of the machine; null: it is none. */
export function snapshotNumber(
  machineName: string,
  disks: readonly { readonly index: number }[],
  name: string,
) {
  const number = Number(/-s(\d{8})$/.exec(name)?.[1] ?? NaN);
  const isOurs = disks.some(({ index }) => azureNames.snapshot(machineName, index, number) === name);
  return isOurs ? number : null;
}

/** The disk's Azure disk. */
export function azureDiskId(way: HomeWay, position: number): string {
  return way.azure.diskIds[position] ?? '';
}
