/**
 * Resync: source and replica are compared and what differs is copied, in the direction the item replicates.
 *
 * Theory of operation. Before: the item is protected; change tracking may have been lost, a disk may have grown, or
 * somebody else may have written to the disks at home. After: the replica is what the source was at the snapshot of
 * this run, and replication goes on. Recovery points made before stay. At the same time nothing replicates: the RPO
 * grows while it runs. A real failover displaces it. Nothing is undone; on a crash the run goes on at its step, and
 * when the operator is silent after a failure it waits.
 */
import type { ResyncRun, RunOutcome } from './contracts/runs.ts';
import { compareSteps, type CompareFacts } from './lib/compare.ts';
import { copyHome, type CopiedHome } from './lib/copy-home.ts';
import { refusal } from './lib/failures.ts';
import { landings, siteTasks } from './lib/proxies.ts';
import type { Runbook, Step } from './lib/runbook.ts';
import { runRunbook } from './lib/run-runbook.ts';

export interface ResyncFacts extends CompareFacts {
  readonly copied: CopiedHome;
}

type ResyncStep = Step<ResyncRun, ResyncFacts>;

const forward = compareSteps.map((step): ResyncStep => ({
  ...step,
  applies: ({ way }) => way === undefined,
}));

const reverse: readonly ResyncStep[] = [
  {
    id: 'stop-reverse',
    name: 'Stop replication',
    key: 'session epoch of the item',
    held: 'The machine runs in Azure; replication home is stopped.',
    run: async (_run, _facts, tools) => ({ facts: { sessionEpoch: await tools.stopReplication() } }),
  },
  {
    id: 'compare-home',
    name: 'Compare Azure and home, copy what differs',
    key: 'block hashes and barriers of the reverse stream',
    async run({ way }, { sessionEpoch = 0 }, tools) {
      if (way === undefined) throw refusal('DR_INTERNAL', { reason: 'there is no way home' });
      // A failback that was ended from outside may have left a snapshot, which keeps every writer away.
      const atHome = { ...way.item, machineId: way.home.machineId };
      await siteTasks(way.item.site).removeProductSnapshots({ item: atHome });
      await landings(way.item.site).describeHomeDisks({ way, epoch: sessionEpoch, compareOnly: true });
      const copied = await copyHome(way, { sessionEpoch, copy: 'compare', again: true }, tools);
      return { facts: { copied }, detail: copied.words };
    },
  },
];

export const resyncBook: Runbook<ResyncRun, ResyncFacts> = {
  kind: 'resync',
  onFailure: 'wait',
  finish: 'The resync goes on to its end.',
  steps: [
    ...forward,
    ...reverse.map((step): ResyncStep => ({ ...step, applies: ({ way }) => way !== undefined })),
  ],
  result: (_run, { shipped, copied, point }) => ({ ...shipped, ...copied, pointId: point?.pointId }),
};

export async function resync(run: ResyncRun): Promise<RunOutcome<ResyncFacts>> {
  return runRunbook(resyncBook, run);
}
