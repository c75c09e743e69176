/**
 * Commit of a failover.
 *
 * Theory of operation. Before: the machine runs in Azure on disks of its own and waits for commit; its recovery points
 * allow to change to another one or to roll back. After: the point it runs on stays, the others and the staged copies
 * are gone, the source carries no snapshot of ours. From the deletion of points on there is no return. The replica and
 * its journal stay: the way home and the replication after it compare with them. On a crash the run goes on at its
 * step; every step only removes. When the operator is silent after a failure the run waits and the machine runs on.
 */
import type { AfterFailoverRun, RunOutcome } from './contracts/runs.ts';
import { azureSide } from './lib/azure-side.ts';
import { refusal } from './lib/failures.ts';
import { azure, azureUndo, siteTasks } from './lib/proxies.ts';
import type { Runbook } from './lib/runbook.ts';
import { runRunbook } from './lib/run-runbook.ts';

export const commitBook: Runbook<AfterFailoverRun, object> = {
  kind: 'commit',
  onFailure: 'wait',
  finish: 'The commit goes on to its end.',
  steps: [
    {
      id: 'preflight',
      name: 'Look at the Azure machine',
      key: 'reads only',
      kind: 'check',
      async run({ item, failover }) {
        const { state } = await azureUndo(item.target.location).azurePowerState({
          azure: azureSide(item, failover),
        });
        if (state !== 'absent') return { detail: `it is ${state}` };
        throw refusal('DR_AZURE_MACHINE_GONE', { machine: item.machineName, reason: 'it does not exist' });
      },
    },
    {
      id: 'staged',
      name: 'Delete staged page blobs',
      key: 'staging prefix of the run',
      held: 'The machine runs in Azure; all recovery points are still there.',
      async run({ item, failover }) {
        const { deleted } = await azure(item.target.location, false).deleteStaged({ runId: failover.runId });
        return { detail: `${deleted} deleted` };
      },
    },
    {
      id: 'points',
      name: 'Delete the other recovery points',
      key: 'id of the point that stays',
      pointOfNoReturn: true,
      held: 'The machine runs in Azure; some recovery points are gone.',
      async run({ item, failover }) {
        const { deleted } = await azure(item.target.location, false).deleteOtherPoints({
          item,
          keep: failover.point.pointId,
        });
        return { detail: `${deleted} deleted` };
      },
    },
    {
      id: 'snapshots',
      name: 'Remove snapshots from the source',
      key: 'names of the item’s snapshots',
      kind: 'bestEffort',
      async run({ item }) {
        await siteTasks(item.site).removeProductSnapshots({ item });
        return {};
      },
    },
  ],
  result: ({ failover }) => ({ pointId: failover.point.pointId, vmId: failover.vmId }),
};

export async function commit(run: AfterFailoverRun): Promise<RunOutcome<object>> {
  return runRunbook(commitBook, run);
}
