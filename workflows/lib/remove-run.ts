/** Removes everything a run made in Azure and proves it with an empty listing. Shared by cleanup, rollback, commits and undos. */
import type { RunId } from '../../domain/ids.ts';
import type { ItemSpec } from '../../domain/machine.ts';
import { azureNames } from '../../domain/names.ts';
import type { RunMode, RunScope } from '../../domain/ports.ts';
import type { AzureSide } from '../contracts/home.ts';
import type { TaskLog } from './job-log.ts';
import { azureUndo } from './proxies.ts';

/** Where a run's resources lie. A drill never lies in a group of the operator's: it is removed as a whole. */
export function scopeOf(item: ItemSpec, runId: RunId, mode: RunMode): RunScope {
  const { location, resourceGroup } = item.target;
  const shared = mode === 'real' && resourceGroup !== undefined;
  return {
    runId,
    itemId: item.itemId,
    mode,
    resourceGroup: shared ? resourceGroup : azureNames.resourceGroup(runId),
    ...(shared ? { sharedGroup: true } : {}),
    location,
  };
}

/** Where a run that has ended put its resources, whatever the settings say now. */
export function scopeOfSide(itemId: ItemSpec['itemId'], side: AzureSide): RunScope {
  const { runId, resourceGroup, sharedGroup, location } = side;
  return {
    runId,
    itemId,
    mode: 'real',
    resourceGroup,
    ...(sharedGroup === undefined ? {} : { sharedGroup }),
    location,
  };
}

/** Returns what was there before. Every step may be repeated; what is gone already is done. `taskPrefix` keeps task ids apart. */
export async function removeRun(
  tasks: TaskLog,
  scope: RunScope,
  taskPrefix = '',
): Promise<{ deleted: string[] }> {
  const azure = azureUndo(scope.location);
  const before = await tasks.task(
    `${taskPrefix}list`,
    'List what carries the tag of the run',
    () => azure.listRun({ runId: scope.runId }),
    (found) => `${found.resources.length} found`,
  );
  await tasks.task(`${taskPrefix}delete`, 'Delete VM, network interface and disks', async () => {
    const begun = await azure.beginDeleteRunGroup({ scope });
    await azure.awaitDeleted({ begun });
  });
  await tasks.task(
    `${taskPrefix}unstage`,
    'Delete staged page blobs',
    () => azure.deleteStaged({ runId: scope.runId }),
    (done) => `${done.deleted} deleted`,
  );
  await tasks.task(
    `${taskPrefix}prove`,
    'Prove that nothing is left',
    () => azure.proveRunEmpty({ runId: scope.runId }),
    () => 'listing by run tag is empty',
  );
  return { deleted: before.resources };
}
