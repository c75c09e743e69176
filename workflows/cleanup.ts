/**
 * Test failover cleanup.
 *
 * Theory of operation. Before: a drill's machine, disks and network interface exist in the run's own resource group,
 * staged page blobs in the storage account. After: a listing by the run's tag is empty; anything else is a failed
 * cleanup, never a finished one. There is no undo: each step only removes and may be repeated. The group is refused
 * unless it carries the run's tags, so a cleanup can neither touch the live item nor what others made. Replication of
 * the item goes on all the while. On a crash the workflow continues at the step it was in. When the operator is silent
 * a failed cleanup ends as failed, and the entity offers cleanup again.
 */
import type { CleanupResult, CleanupRun, RunOutcome } from './contracts/runs.ts';
import { removeRun, scopeOf } from './lib/remove-run.ts';
import type { Runbook } from './lib/runbook.ts';
import { runRunbook } from './lib/run-runbook.ts';

export interface CleanupFacts {
  readonly result: CleanupResult;
}

export const cleanupBook: Runbook<CleanupRun, CleanupFacts> = {
  kind: 'cleanupTestFailover',
  onFailure: 'rollBack',
  finish: 'The cleanup goes on to its end.',
  steps: [
    {
      id: 'remove',
      name: 'Remove what the drill made',
      key: 'tag of the drill',
      held: 'Part of the drill may be left; the live item is not concerned.',
      async run({ item, drillRunId }, _facts, tools) {
        const { deleted } = await removeRun(tools, scopeOf(item, drillRunId, 'test'));
        return { facts: { result: { remaining: [], deleted } }, detail: `${deleted.length} removed` };
      },
    },
  ],
  result: ({ drillRunId, notes }, { result }) => ({ ...result, runId: drillRunId, notes }),
};

export async function cleanup(run: CleanupRun): Promise<RunOutcome<CleanupFacts>> {
  return runRunbook(cleanupBook, run);
}
