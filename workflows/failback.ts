/**
 * Failback: the second phase home. The machine stops in Azure and starts on premises.
 *
 * Theory of operation. Before: the Azure machine replicates home, the machine at home is off. After: the last changes
 * are on the disks at home and were compared by hash, the Azure machine is proven stopped and still there, the machine
 * runs at home from a safety snapshot that cancelling goes back to, and the entity waits for commit. There is no point
 * of no return: every step can be undone, and a commit or a cancel decides later.
 *
 * Order keeps the two sides apart: Azure stops and is proven stopped → last changes → verified → the fence goes to the
 * site → power on. At the same time nobody may write to the disks: vSphere's lock was given back by the landing, and a
 * landing that still lives somewhere is older than this run's epoch. On a crash the run goes on at its step; when the
 * operator is silent after a failure it waits, and says on which side the machine is.
 */
import { safetySnapshotName } from '../domain/names.ts';
import type { DiskDigest, HomeWay, ReverseShipped } from './contracts/home.ts';
import type { HomeRun, RunOutcome } from './contracts/runs.ts';
import { landAll } from './lib/copy-home.ts';
import { refusal } from './lib/failures.ts';
import { proveAzureOff, startInAzure, takeFence } from './lib/fence.ts';
import { checkReadyHome } from './lib/home-preflight.ts';
import { azureUndo, landings, reverseCopies, siteTasks, urgentSite } from './lib/proxies.ts';
import type { Runbook } from './lib/runbook.ts';
import { runRunbook } from './lib/run-runbook.ts';

const SHUTDOWN_GRACE_SECONDS = 120;

export interface FailbackFacts {
  readonly startedMs: number;
  readonly sessionEpoch: number;
  readonly final: ReverseShipped;
  readonly disks: readonly DiskDigest[];
  readonly safetySnapshot: string;
  readonly fence: number;
  /** A safety snapshot of an earlier failback is gone. */
  readonly isCleared: boolean;
  /** From here on the machine at home may have been started. */
  readonly mayHaveRun: boolean;
}

export const failbackBook: Runbook<HomeRun, FailbackFacts> = {
  kind: 'failback',
  onFailure: 'wait',
  finish: 'The failback goes on to its end.',
  steps: [
    {
      id: 'preflight',
      name: 'Prerequisites check',
      key: 'reads only',
      kind: 'check',
      async run({ way }) {
        await checkReadyHome(way);
        return { facts: { startedMs: Date.now() } };
      },
    },
    {
      id: 'stop-replication',
      name: 'Stop replication',
      key: 'session epoch of the item',
      held: 'The machine runs in Azure; replication home is stopped.',
      run: async (_run, _facts, tools) => ({ facts: { sessionEpoch: await tools.stopReplication() } }),
    },
    {
      id: 'stop-azure',
      name: 'Stop the Azure machine and prove it',
      key: 'power state of the Azure machine',
      held: 'The machine is stopped in Azure and off at home: the application is down.',
      async run({ item, way }) {
        const { state } = await azureUndo(item.target.location).stopAzureMachine({ item, azure: way.azure });
        if (state === 'absent') {
          throw refusal('DR_AZURE_MACHINE_GONE', { machine: item.machineName, reason: 'it does not exist' });
        }
        return { detail: `it is ${state}` };
      },
      undo: {
        name: 'Start the Azure machine again',
        means: 'The machine runs in Azure again and replication home goes on.',
        async run({ item, way }, { fence }, tools) {
          const mayRunAtHome = fence === undefined ? {} : { homeMachineId: way.home.machineId };
          return startInAzure(item, { side: way.azure, ...mayRunAtHome }, tools);
        },
      },
    },
    {
      id: 'clear-home',
      name: 'Remove what an earlier failback left at home',
      key: 'names of the item’s snapshots',
      async run({ item, way }) {
        const { safetySnapshot: name } = way;
        const atHome = { ...item, machineId: way.home.machineId };
        if (name !== undefined) {
          await siteTasks(item.site).revertToSafetySnapshot({ way, name, mayBeGone: true });
        }
        await siteTasks(item.site).removeProductSnapshots({ item: atHome });
        return { facts: { isCleared: true } };
      },
    },
    {
      id: 'final-delta',
      name: 'Replicate the last changes',
      key: 'barrier of this session epoch',
      async run({ item, way }, { sessionEpoch = 0 }) {
        const final = await reverseCopies(item.target.location).shipReverseFinal({ way, sessionEpoch });
        return { facts: { final }, detail: `${final.wireBytes} bytes travelled` };
      },
    },
    {
      id: 'land',
      name: 'Bring the disks at home up to date',
      key: 'landed state of the reverse stream',
      async run({ way }, { sessionEpoch = 0, final }, tools) {
        const landed = await landAll(way, sessionEpoch, final?.barrierNumber ?? 0, tools);
        return { detail: `whole as of ${landed.sourceTime}` };
      },
    },
    {
      id: 'verify',
      name: 'Compare every disk by hash',
      key: 'reads only',
      skip: 'Nobody has compared the disks: the machine starts on what was written, unproven.',
      async run({ way }, { final }) {
        const disks = await verify(way, final?.barrierNumber ?? 0);
        return { facts: { disks }, detail: `${disks.length} disks are equal, SHA-256` };
      },
    },
    {
      id: 'safety-snapshot',
      name: 'Take a safety snapshot at home',
      key: 'name of the way home’s snapshot',
      async run({ item, way }, { final }) {
        const barrierNumber = final?.barrierNumber ?? 0;
        const { name } = await siteTasks(item.site).takeSafetySnapshot({ way, barrierNumber });
        return { facts: { safetySnapshot: name }, detail: name };
      },
      undo: {
        name: 'Go back to the safety snapshot',
        means: 'What the machine wrote at home since its start is lost.',
        async run({ item, way }, { final, mayHaveRun }) {
          const name = safetySnapshotName(item.itemId, way.generation, final?.barrierNumber ?? 0);
          // Nothing has written to the disks unless the machine may have been started.
          if (mayHaveRun === true) {
            await siteTasks(item.site).revertToSafetySnapshot({ way, name, mayBeGone: true });
          }
          await siteTasks(item.site).dropSafetySnapshot({ way, name });
          return name;
        },
      },
    },
    {
      id: 'fence',
      name: 'Give the right to run to the site',
      key: 'fence record of the item',
      async run({ item }, { sessionEpoch = 0 }) {
        const { number } = await takeFence(item, 'onPremises', sessionEpoch);
        return { facts: { fence: number }, detail: `fence ${number}` };
      },
    },
    {
      id: 'prove-azure',
      name: 'See that nothing was written in Azure meanwhile',
      key: 'barrier of a session epoch of its own',
      async run({ item, way }, { final }, tools) {
        const state = await proveAzureOff(item, way.azure);
        const sessionEpoch = await tools.stopReplication();
        const { wrote } = await reverseCopies(item.target.location).azureWroteSince({
          way,
          sessionEpoch,
          barrierNumber: final?.barrierNumber ?? 0,
        });
        if (wrote) throw refusal('DR_AZURE_WROTE_LATE', { machine: item.machineName });
        return { facts: { mayHaveRun: true }, detail: `it is ${state}, nothing was written` };
      },
    },
    {
      id: 'networks',
      name: 'Connect the networks at home',
      key: 'interfaces of the machine',
      async run({ item, way }) {
        await siteTasks(item.site).connectHomeNetworks({ way });
        return {};
      },
    },
    {
      id: 'power-on',
      name: 'Power the machine on',
      key: 'power state of the machine',
      async run({ item, way }, { fence = 0 }) {
        const { machineId } = way.home;
        await proveAzureOff(item, way.azure);
        const { outcome } = await urgentSite(item.site).powerOnHome({ item, machineId, fence });
        return { detail: outcome };
      },
      undo: {
        name: 'Power the machine at home off',
        means: 'The machine at home is shut down.',
        async run({ item, way }) {
          const { machineId } = way.home;
          const graceSeconds = SHUTDOWN_GRACE_SECONDS;
          return (await urgentSite(item.site).powerOffHome({ item, machineId, graceSeconds })).outcome;
        },
      },
    },
  ],
  result: ({ way }, { startedMs = Date.now(), final, disks }) => ({
    home: way.home,
    final,
    disks,
    rtoSeconds: (Date.now() - startedMs) / 1_000,
  }),
};

/** Each side hashes its own; only the hashes travel. */
async function verify(way: HomeWay, barrierNumber: number): Promise<DiskDigest[]> {
  const { item } = way;
  const [azure, home] = await Promise.all([
    reverseCopies(item.target.location).hashAzureDisks({ way, barrierNumber }),
    landings(item.site).hashHomeDisks({ way }),
  ]);
  for (const expected of azure) {
    const found = home.find((each) => each.index === expected.index);
    if (found?.sha256 === expected.sha256 && found.bytes === expected.bytes) continue;
    throw refusal('DR_VERIFY_MISMATCH', {
      disk: expected.label,
      machine: item.machineName,
      reason: `SHA-256 is ${expected.sha256} in Azure and ${found?.sha256 ?? 'unknown'} at home`,
    });
  }
  return azure;
}

export async function failback(run: HomeRun): Promise<RunOutcome<FailbackFacts>> {
  return runRunbook(failbackBook, run);
}
