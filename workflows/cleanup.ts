/**
 * Test failover cleanup.
 *
 * Theory of operation. Before: a drill's machine, disks and network interface exist in the run's own resource group,
 * staged page blobs in the storage account. After: a listing by the run's tag is empty; anything else is a failed
 * cleanup, never a finished one. Steps: list → delete group → delete staged blobs → prove. There is no undo: each
 * step only removes and may be repeated. The group is refused unless it carries the run's tags, so a cleanup can
 * neither touch the live item nor what others made. Replication of the item goes on all the while.
 * On a crash the workflow continues at the step it was in. On failure the entity offers cleanup again.
 */
import type { CleanupOutcome, CleanupRun } from './contracts/types.ts';
import { jobLog } from './lib/job-log.ts';
import { removeRun, scopeOf } from './lib/remove-run.ts';

export async function cleanup(run: CleanupRun): Promise<CleanupOutcome> {
  const log = jobLog({
    id: run.operationId,
    kind: 'cleanupTestFailover',
    itemId: run.item.itemId,
    machineName: run.item.machineName,
    requestedBy: run.requestedBy.principal,
  });
  try {
    const { deleted } = await removeRun(log, scopeOf(run.item, run.runId, 'test'));
    const result = { remaining: [], deleted };
    await log.succeed({ ...result, runId: run.runId, notes: run.notes });
    return { outcome: 'done', result };
  } catch (error) {
    return { outcome: 'failed', error: await log.fail(error) };
  }
}
