/**
 * Re-enable replication: the third phase home. The machine that came home is protected again.
 *
 * Theory of operation. Before: the failback is committed, the machine runs at home, its old replica lies in Azure.
 * After: what differed was shipped, a recovery point holds it, the entity replicates forward. Nothing is copied that
 * the replica has already. There is nothing to undo: the steps only bring the replica nearer to the source, and points
 * made before stay as they are. On a crash the run goes on at its step; when the operator is silent after a failure it
 * waits and the machine runs on, unprotected.
 */
import type { Run, RunOutcome } from './contracts/runs.ts';
import { compareSteps, type CompareFacts } from './lib/compare.ts';
import type { Runbook } from './lib/runbook.ts';
import { runRunbook } from './lib/run-runbook.ts';

export const reEnableBook: Runbook<Run, CompareFacts> = {
  kind: 'reEnable',
  onFailure: 'wait',
  finish: 'Replication is re-enabled.',
  steps: compareSteps,
  result: (_run, { shipped, point }) => ({ ...shipped, pointId: point?.pointId }),
};

export async function reEnable(run: Run): Promise<RunOutcome<CompareFacts>> {
  return runRunbook(reEnableBook, run);
}
