/** Removes everything a run made in Azure and proves it with an empty listing. Shared by cleanup and by a failover's undo. */
import type { RunId } from '../../domain/ids.ts';
import type { RunScope } from '../../domain/ports.ts';
import { azureNames } from '../../domain/names.ts';
import type { RunMode } from '../../domain/ports.ts';
import type { ItemSpec } from '../../domain/machine.ts';
import type { JobLog } from './job-log.ts';
import { azureUndo } from './proxies.ts';

export function scopeOf(item: ItemSpec, runId: RunId, mode: RunMode): RunScope {
  return {
    runId,
    itemId: item.itemId,
    mode,
    resourceGroup: azureNames.resourceGroup(runId),
    location: item.target.location,
  };
}

/** Returns what was there before. Every step may be repeated; what is gone already is done. `taskPrefix` keeps task ids apart. */
export async function removeRun(
  log: JobLog,
  scope: RunScope,
  taskPrefix = '',
): Promise<{ deleted: string[] }> {
  const azure = azureUndo(scope.location);
  const before = await log.step(
    `${taskPrefix}list`,
    'List what carries the tag of the run',
    () => azure.listRun({ runId: scope.runId }),
    (found) => `${found.resources.length} found`,
  );
  await log.step(`${taskPrefix}delete`, 'Delete VM, network interface and disks', async () => {
    const begun = await azure.beginDeleteRunGroup({ scope });
    await azure.awaitDeleted({ begun });
  });
  await log.step(
    `${taskPrefix}unstage`,
    'Delete staged page blobs',
    () => azure.deleteStaged({ runId: scope.runId }),
    (done) => `${done.deleted} deleted`,
  );
  await log.step(
    `${taskPrefix}prove`,
    'Prove that nothing is left',
    () => azure.proveRunEmpty({ runId: scope.runId }),
    () => 'listing by run tag is empty',
  );
  return { deleted: before.resources };
}
