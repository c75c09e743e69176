/**
 * Rollback of a failover before its commit.
 *
 * Theory of operation. Before: the machine runs in Azure (or a failover has left part of itself there) and waits for
 * commit; the source is off, or its state is unknown. After: a listing by the run's tag is empty, the source runs if
 * the failover had switched it off, and the entity replicates on from where it was: the replica was never written by
 * the failover, so nothing is copied again. What the machine wrote in Azure is lost, which is why removal comes last:
 * until then everything can be undone.
 *
 * No split brain: the Azure machine is proven stopped before the fence goes back to the site, and the source is
 * started with that fence only. On a crash the run goes on at its step. When the operator is silent after a failure
 * it waits, with the machine off on both sides if it got that far.
 */
import type { RollbackRun, RunOutcome } from './contracts/runs.ts';
import { azureSide } from './lib/azure-side.ts';
import { refusal } from './lib/failures.ts';
import { startInAzure, takeFence } from './lib/fence.ts';
import { azureUndo, siteCalls, urgentSite } from './lib/proxies.ts';
import { removeRun, scopeOf } from './lib/remove-run.ts';
import type { Runbook } from './lib/runbook.ts';
import { runRunbook } from './lib/run-runbook.ts';

export interface RollbackFacts {
  readonly fence: number;
}

/** A machine that was off before the failover stays off. */
const wantsPower = ({ failover }: RollbackRun) => failover?.source !== 'alreadyOff';

export const rollbackBook: Runbook<RollbackRun, RollbackFacts> = {
  kind: 'rollback',
  onFailure: 'wait',
  finish: 'The rollback goes on to its end.',
  steps: [
    {
      id: 'preflight',
      name: 'Look at the source machine',
      key: 'reads only',
      kind: 'check',
      async run({ item }) {
        const { state } = await siteCalls(item.site).homePowerState({ item, machineId: item.machineId });
        if (state === 'absent') throw refusal('DR_MACHINE_UNKNOWN', { machine: item.machineName });
        return { detail: `it is ${state}` };
      },
    },
    {
      id: 'stop-azure',
      name: 'Stop the Azure machine and prove it',
      key: 'power state of the Azure machine',
      held: 'The machine is stopped in Azure and off on premises: the application is down.',
      applies: ({ failover }) => failover !== undefined,
      async run({ item, failover }) {
        if (failover === undefined) return {};
        const { state } = await azureUndo(item.target.location).stopAzureMachine({
          item,
          azure: azureSide(item, failover),
        });
        return { detail: `it is ${state}` };
      },
      undo: {
        name: 'Start the Azure machine again',
        means: 'The machine runs in Azure again, as it was.',
        async run({ item, failover }, _facts, tools) {
          return failover === undefined ? undefined : startInAzure(item, azureSide(item, failover), tools);
        },
      },
    },
    {
      id: 'fence',
      name: 'Give the right to run back to the site',
      key: 'fence record of the item',
      async run({ item }, _facts, tools) {
        const { number } = await takeFence(item, 'onPremises', await tools.stopReplication());
        return { facts: { fence: number }, detail: `fence ${number}` };
      },
    },
    {
      id: 'power-on-source',
      name: 'Power the source on',
      key: 'power state of the machine',
      skip: 'The machine stays off on premises until somebody powers it on in vCenter.',
      applies: (run) => wantsPower(run),
      async run({ item }, { fence = 0 }) {
        const { machineId } = item;
        const { outcome } = await urgentSite(item.site).powerOnHome({ item, machineId, fence });
        return { detail: outcome };
      },
      undo: {
        name: 'Power the source off',
        means: 'The machine on premises is shut down; what it wrote since is lost.',
        async run({ item }) {
          const { machineId } = item;
          const { outcome } = await urgentSite(item.site).powerOffHome({
            item,
            machineId,
            graceSeconds: 120,
          });
          return outcome;
        },
      },
    },
    {
      id: 'remove-azure',
      name: 'Remove the Azure machine',
      key: 'tag of the failover',
      pointOfNoReturn: true,
      held: 'The machine runs on premises; part of what the failover made in Azure may be left.',
      async run({ item, failover, removeFirst }, _facts, tools) {
        const runs = failover === undefined ? removeFirst : [...removeFirst, failover.runId];
        for (const run of runs) await removeRun(tools, scopeOf(item, run, 'real'), `${run}-`);
        return { detail: 'listing by run tag is empty' };
      },
    },
  ],
};

export async function rollback(run: RollbackRun): Promise<RunOutcome<RollbackFacts>> {
  return runRunbook(rollbackBook, run);
}
