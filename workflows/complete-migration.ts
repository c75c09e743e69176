/**
 * Complete migration: the machine stays in Azure for good.
 *
 * Theory of operation. Before: the failover is committed. After: replica, points, journal and key of the item are
 * gone, the Azure machine is not touched, and the machine may be protected again some day. The way home ends here:
 * from the purge on there is no return. Every step only removes; on a crash the run goes on at its step, and when the
 * operator is silent after a failure it waits.
 */
import type { MigrationRun, RunOutcome } from './contracts/runs.ts';
import { azure, siteTasks } from './lib/proxies.ts';
import type { Runbook } from './lib/runbook.ts';
import { runRunbook } from './lib/run-runbook.ts';

export const completeMigrationBook: Runbook<MigrationRun, object> = {
  kind: 'completeMigration',
  onFailure: 'wait',
  finish: 'The migration is completed.',
  steps: [
    {
      id: 'snapshots',
      name: 'Remove snapshots from the source',
      key: 'names of the item’s snapshots',
      kind: 'bestEffort',
      held: 'The machine runs in Azure; it can still be brought home.',
      async run({ item }) {
        await siteTasks(item.site).removeProductSnapshots({ item });
        return {};
      },
    },
    {
      id: 'purge',
      name: 'Delete replicas, recovery points, journal and key',
      key: 'prefixes of the item',
      pointOfNoReturn: true,
      async run({ item, generations }) {
        const { deletedBlobs } = await azure(item.target.location, false).purgeItem({ item, generations });
        return { detail: `${deletedBlobs} blobs deleted` };
      },
    },
  ],
  result: ({ failover }) => ({ vmId: failover.vmId }),
};

export async function completeMigration(run: MigrationRun): Promise<RunOutcome<object>> {
  return runRunbook(completeMigrationBook, run);
}
