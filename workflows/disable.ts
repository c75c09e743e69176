/**
 * End of protection, and the same without asking the site (purge).
 *
 * Theory of operation. Before: the item is protected in one direction or has just moved. After: nothing of the item is
 * left in the storage account, no snapshot of ours on the source, and the machine may be protected again. Kept: the
 * machine on premises as it is, and what has failed over to Azure. Deleted: replicas, recovery points, journal, key,
 * and on the way home the reverse stream, its Azure snapshots and a machine that was made at home. A site that is gone
 * for good must not keep an item for ever: its steps are best effort, and purge leaves them out. From the deletion on,
 * and on the way home from the first step that takes something of it away, there is no return. On a crash the run goes on at its step; after a failure it waits, and purge displaces it.
 */
import type { DisableRun, RunOutcome } from './contracts/runs.ts';
import { azure, azureUndo, siteTasks } from './lib/proxies.ts';
import type { Runbook, Step } from './lib/runbook.ts';
import { runRunbook } from './lib/run-runbook.ts';

type DisableStep = Step<DisableRun, object>;

const asksSite = ({ purge }: DisableRun) => !purge;
const isOnWayHome = ({ way }: DisableRun) => way !== undefined;

const steps: readonly DisableStep[] = [
  {
    id: 'stop-replication',
    name: 'Stop replication',
    key: 'session epoch of the item',
    held: 'Replication is stopped; all recovery points are still there.',
    async run(_run, _facts, tools) {
      await tools.stopReplication();
      return {};
    },
  },
  {
    id: 'snapshots',
    name: 'Remove snapshots from the source',
    key: 'names of the item’s snapshots',
    kind: 'bestEffort',
    applies: asksSite,
    async run({ item }) {
      await siteTasks(item.site).removeProductSnapshots({ item });
      return {};
    },
  },
  {
    id: 'release-home',
    name: 'Let go of the machine at home',
    key: 'key of the item’s way home',
    kind: 'bestEffort',
    pointOfNoReturn: true,
    applies: (run) => asksSite(run) && (isOnWayHome(run) || run.unfinishedWay !== undefined),
    async run({ item, way, unfinishedWay = 0 }) {
      const known = way === undefined ? { generation: unfinishedWay } : { generation: way.generation, way };
      await siteTasks(item.site).releaseHomeMachine({ item, ...known });
      return {};
    },
  },
  {
    id: 'reverse-snapshots',
    name: 'Delete the Azure snapshots of the way home',
    key: 'names of the snapshots in the run’s group',
    kind: 'bestEffort',
    pointOfNoReturn: true,
    applies: isOnWayHome,
    async run({ item, way }) {
      if (way === undefined) return {};
      const { deleted } = await azureUndo(item.target.location).deleteReverseSnapshots({ way });
      return { detail: `${deleted} deleted` };
    },
  },
  {
    id: 'purge',
    name: 'Delete recovery points, replicas, journal and key',
    key: 'prefixes of the item and of its ways home',
    pointOfNoReturn: true,
    async run({ item, generations }) {
      const { deletedBlobs } = await azure(item.target.location, false).purgeItem({ item, generations });
      return { detail: `${deletedBlobs} blobs deleted` };
    },
  },
];

export const disableBook: Runbook<DisableRun, object> = {
  kind: ({ purge }) => (purge ? 'purge' : 'disable'),
  onFailure: 'wait',
  finish: 'Protection ends.',
  steps,
};

export async function disable(run: DisableRun): Promise<RunOutcome<object>> {
  return runRunbook(disableBook, run);
}
