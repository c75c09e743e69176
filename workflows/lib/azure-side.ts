/** The Azure machine of a failover, as the activities of the way home know it. */
import type { ItemSpec } from '../../domain/machine.ts';
import type { AzureSide } from '../contracts/home.ts';
import type { FailoverResult } from '../contracts/runs.ts';

export function azureSide(item: ItemSpec, failover: FailoverResult): AzureSide {
  const { runId, vmId, diskIds, resourceGroup, sharedGroup, point, baselineSnapshotIds = [] } = failover;
  return {
    runId,
    vmId,
    diskIds,
    resourceGroup,
    ...(sharedGroup === undefined ? {} : { sharedGroup }),
    location: item.target.location,
    point,
    baselineSnapshotIds,
  };
}
