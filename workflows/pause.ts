/**
 * Pause and resume of replication.
 *
 * Theory of operation. Pausing ends the sessions of the item; changes stay where they are tracked, on the source or in
 * Azure, and travel after resuming, so nothing is lost and nothing is copied twice. Resuming starts the sessions: the
 * entity does that for every item that is not paused.
 */
import type { Run, RunOutcome } from './contracts/runs.ts';
import type { Runbook } from './lib/runbook.ts';
import { runRunbook } from './lib/run-runbook.ts';

export const pauseBook: Runbook<Run, object> = {
  kind: 'pause',
  onFailure: 'rollBack',
  finish: 'Replication pauses.',
  steps: [
    {
      id: 'stop-replication',
      name: 'Stop replication',
      key: 'session epoch of the item',
      async run(_run, _facts, tools) {
        await tools.stopReplication();
        return {};
      },
    },
  ],
};

export const resumeBook: Runbook<Run, object> = {
  kind: 'resume',
  onFailure: 'rollBack',
  finish: 'Replication goes on.',
  steps: [
    {
      id: 'epoch',
      name: 'Take a session epoch',
      key: 'session epoch of the item',
      async run(_run, _facts, tools) {
        return { detail: `epoch ${await tools.stopReplication()}` };
      },
    },
  ],
};

export async function pause(run: Run): Promise<RunOutcome<object>> {
  return runRunbook(pauseBook, run);
}

export async function resume(run: Run): Promise<RunOutcome<object>> {
  return runRunbook(resumeBook, run);
}
