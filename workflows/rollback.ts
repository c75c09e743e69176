/**
 * Rollback of a failover before its commit.
 *
 * Theory of operation. Before: the machine runs in Azure (or a failover has left part of itself there) and waits for
 * commit; the source is off, or its state is unknown. After: a listing by the run's tag is empty, the source runs if
 * the failover had switched it off, and the entity replicates on from where it was: the replica was never written by
 * the failover, so nothing is copied again. What the machine wrote in Azure is lost, which is why removal comes last:
 * until then everything can be undone.
 *
 * No split brain: what an unfinished failover left (its machine may run) is proven gone, and the Azure machine proven
 * stopped, before the fence goes back to the site, and the source is started with that fence only. On a crash the run goes on at its step. When the operator is silent after a failure
 * it waits, with the machine off on both sides if it got that far.
 */
import type { RollbackRun, RunOutcome, SourceOutcome } from './contracts/runs.ts';
import { azureSide } from './lib/azure-side.ts';
import { refusal } from './lib/failures.ts';
import { proveAzureOff, startInAzure, takeFence } from './lib/fence.ts';
import { azureUndo, siteCalls, urgentSite } from './lib/proxies.ts';
import { removeRun, scopeOf, scopeOfSide } from './lib/remove-run.ts';
import type { Runbook } from './lib/runbook.ts';
import { runRunbook } from './lib/run-runbook.ts';

export interface RollbackFacts {
  /** The source runs although the failover had seen it off: a lost rollback has started it. */
  readonly runsAlready: boolean;
  readonly fence: number;
}

const SEEN_OFF: readonly SourceOutcome[] = ['shutDown', 'poweredOff', 'alreadyOff'];

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
      async run({ item, failover }) {
        const { state } = await siteCalls(item.site).homePowerState({ item, machineId: item.machineId });
        if (state === 'absent') throw refusal('DR_MACHINE_UNKNOWN', { machine: item.machineName });
        const wasOff = failover !== undefined && SEEN_OFF.includes(failover.source);
        return { facts: { runsAlready: wasOff && state === 'poweredOn' }, detail: `it is ${state}` };
      },
    },
    {
      id: 'remove-earlier',
      name: 'Remove what an unfinished failover left',
      key: 'tag of the unfinished run',
      held: 'The machine is where the failover left it; part of an unfinished one may be gone.',
      applies: ({ removeFirst }) => removeFirst.length > 0,
      async run({ item, removeFirst }, _facts, tools) {
        for (const run of removeFirst) await removeRun(tools, scopeOf(item, run, 'real'), `${run}-`);
        return { detail: `${removeFirst.length} removed` };
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
        async run({ item, failover }, { runsAlready, fence }, tools) {
          if (runsAlready === true) {
            throw refusal('DR_SOURCE_RUNS', { machine: item.machineName, state: 'poweredOn' });
          }
          if (failover === undefined) return undefined;
          const side = azureSide(item, failover);
          const mayRunAtHome = fence === undefined ? {} : { homeMachineId: item.machineId };
          return startInAzure(item, { side, ...mayRunAtHome }, tools);
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
      async run({ item, failover }, { fence = 0 }) {
        const { machineId } = item;
        if (failover !== undefined) await proveAzureOff(item, azureSide(item, failover));
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
      applies: ({ failover }) => failover !== undefined,
      async run({ item, failover }, _facts, tools) {
        if (failover !== undefined) {
          await removeRun(tools, scopeOfSide(item.itemId, azureSide(item, failover)));
        }
        return { detail: 'listing by run tag is empty' };
      },
    },
  ],
};

export async function rollback(run: RollbackRun): Promise<RunOutcome<RollbackFacts>> {
  return runRunbook(rollbackBook, run);
}
