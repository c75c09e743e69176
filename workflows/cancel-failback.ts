/**
 * Cancel of a failback before its commit.
 *
 * Theory of operation. Before: the machine runs at home (or a failback stopped half way), the Azure machine is stopped
 * and still there. After: the machine at home is off, its disks are what was landed, the Azure machine runs again and
 * replicates home as before. What was written at home since the failback is lost: from the return to the safety
 * snapshot on there is no way back. The machine at home is proven off before the fence goes to Azure. On a crash the
 * run goes on at its step; when the operator is silent after a failure it waits.
 */
import type { HomeRun, RunOutcome } from './contracts/runs.ts';
import { powerOnAtHome, startInAzure } from './lib/fence.ts';
import { readyAzure } from './lib/home-preflight.ts';
import { siteCalls, siteTasks, urgentSite } from './lib/proxies.ts';
import type { Runbook } from './lib/runbook.ts';
import { runRunbook } from './lib/run-runbook.ts';

const SHUTDOWN_GRACE_SECONDS = 120;

export interface CancelFailbackFacts {
  readonly ranAtHome: boolean;
  readonly isReverted: boolean;
}

export const cancelFailbackBook: Runbook<HomeRun, CancelFailbackFacts> = {
  kind: 'cancelFailback',
  onFailure: 'wait',
  finish: 'The machine goes back to Azure.',
  steps: [
    {
      id: 'preflight',
      name: 'Look at both machines',
      key: 'reads only',
      kind: 'check',
      async run({ item, way }) {
        await readyAzure(way);
        const { machineId } = way.home;
        const { state } = await siteCalls(item.site).homePowerState({ item, machineId });
        return { facts: { ranAtHome: state === 'poweredOn' }, detail: `at home it is ${state}` };
      },
    },
    {
      id: 'power-off-home',
      name: 'Power the machine at home off',
      key: 'power state of the machine',
      held: 'The machine is off on both sides: the application is down.',
      async run({ item, way }) {
        const { machineId } = way.home;
        const graceSeconds = SHUTDOWN_GRACE_SECONDS;
        const { outcome } = await urgentSite(item.site).powerOffHome({ item, machineId, graceSeconds });
        return { detail: outcome };
      },
      undo: {
        name: 'Power the machine at home on again',
        means: 'The machine runs at home again.',
        async run({ item, way }, { ranAtHome }, tools) {
          const { machineId } = way.home;
          // A failback that stopped half way has not started it: its disks may not be whole.
          if (ranAtHome !== true) return 'it was off';
          // Interrupted, the guest may be on its way down: it is seen off before it is powered on again.
          await urgentSite(item.site).powerOffHome({ item, machineId, graceSeconds: SHUTDOWN_GRACE_SECONDS });
          return powerOnAtHome(item, { machineId, side: way.azure }, tools);
        },
      },
    },
    {
      id: 'revert-home',
      name: 'Go back to the safety snapshot',
      key: 'name of the way home’s snapshot',
      pointOfNoReturn: true,
      skip: 'The disks at home are not what was landed: they must be compared (resync) before the next failback.',
      applies: ({ way }) => way.safetySnapshot !== undefined,
      async run({ item, way }) {
        await siteTasks(item.site).revertToSafetySnapshot({
          way,
          name: way.safetySnapshot ?? '',
          mayBeGone: false,
        });
        return { facts: { isReverted: true }, detail: 'disks are as they were landed' };
      },
    },
    {
      id: 'drop-safety-snapshot',
      name: 'Remove the safety snapshot',
      key: 'name of the way home’s snapshot',
      applies: ({ way }) => way.safetySnapshot !== undefined,
      async run({ item, way }) {
        await siteTasks(item.site).dropSafetySnapshot({ way, name: way.safetySnapshot ?? '' });
        return {};
      },
    },
    {
      id: 'start-azure',
      name: 'Start the Azure machine',
      key: 'fence record and power state of the Azure machine',
      async run({ item, way }, _facts, tools) {
        const { machineId: homeMachineId } = way.home;
        return { detail: await startInAzure(item, { side: way.azure, homeMachineId }, tools) };
      },
    },
  ],
};

export async function cancelFailback(run: HomeRun): Promise<RunOutcome<CancelFailbackFacts>> {
  return runRunbook(cancelFailbackBook, run);
}
