/**
 * Commit of a failback: the machine stays at home.
 *
 * Theory of operation. Before: the machine runs at home from a safety snapshot, the Azure machine is stopped and still
 * there. After: a listing by the tag of the failover is empty, the safety snapshot is merged, the reverse stream is
 * gone, and the machine runs at home unprotected until replication is re-enabled; the forward replica stays, so that
 * only what differs travels then. From the removal of the Azure machine on there is no return; it is refused while the
 * machine does not run at home. On a crash the run goes on at its step; when the operator is silent it waits.
 */
import type { HomeRun, RunOutcome } from './contracts/runs.ts';
import { refusal } from './lib/failures.ts';
import { proveAzureOff } from './lib/fence.ts';
import { landings, siteCalls, siteTasks } from './lib/proxies.ts';
import { removeRun, scopeOfSide } from './lib/remove-run.ts';
import type { Runbook } from './lib/runbook.ts';
import { runRunbook } from './lib/run-runbook.ts';

export const commitFailbackBook: Runbook<HomeRun, object> = {
  kind: 'commit',
  onFailure: 'wait',
  finish: 'The commit goes on to its end.',
  steps: [
    {
      id: 'preflight',
      name: 'Look at both machines',
      key: 'reads only',
      kind: 'check',
      async run({ item, way }) {
        const { machineId } = way.home;
        const { state } = await siteCalls(item.site).homePowerState({ item, machineId });
        if (state === 'poweredOn') {
          return { detail: `it runs; in Azure it is ${await proveAzureOff(item, way.azure)}` };
        }
        throw refusal('DR_OPERATION_REFUSED', {
          operation: 'commit',
          item: item.machineName,
          reason: `the machine at home is ${state}: power it on, or cancel the failback`,
        });
      },
    },
    {
      id: 'remove-azure',
      name: 'Remove the Azure machine and its disks',
      key: 'tag of the failover',
      pointOfNoReturn: true,
      held: 'The machine runs at home; part of the Azure machine may be left, stopped.',
      async run({ item, way }, _facts, tools) {
        const { deleted } = await removeRun(tools, scopeOfSide(item.itemId, way.azure));
        return { detail: `${deleted.length} removed, listing by run tag is empty` };
      },
    },
    {
      id: 'safety-snapshot',
      name: 'Merge the safety snapshot',
      key: 'name of the way home’s snapshot',
      applies: ({ way }) => way.safetySnapshot !== undefined,
      async run({ item, way }) {
        await siteTasks(item.site).dropSafetySnapshot({ way, name: way.safetySnapshot ?? '' });
        return {};
      },
    },
    {
      id: 'purge-reverse',
      name: 'Delete the reverse stream',
      key: 'prefixes of the reverse stream',
      skip: 'Journal and key of the way home stay in the storage account until protection ends.',
      async run({ item, way }) {
        const { deletedBlobs } = await landings(item.site).purgeReverseStream({ way });
        return { detail: `${deletedBlobs} blobs deleted` };
      },
    },
  ],
  result: ({ way }) => ({ home: way.home }),
};

export async function commitFailback(run: HomeRun): Promise<RunOutcome<object>> {
  return runRunbook(commitFailbackBook, run);
}
