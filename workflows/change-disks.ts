/**
 * More disks, or fewer, of a machine that is protected already.
 *
 * Theory of operation. Before: the item replicates. After: the entity and the item record hold the new set of disks and
 * replication goes on. A disk that joins has a stream of its own from the next barrier on and is read in full there;
 * points made before do not list it. A disk that leaves is not read any more; points that hold it stay until retention
 * ends them. The machine is protected all the while: older points stay usable. Replication stops for the moment of the
 * change, so that the barrier at which a disk joins is known. Undo writes the old record again.
 */
import type { ItemSpec } from '../domain/machine.ts';
import type { DisksRun, RunOutcome } from './contracts/runs.ts';
import { refusal } from './lib/failures.ts';
import { azure, siteTasks } from './lib/proxies.ts';
import type { Runbook, Step } from './lib/runbook.ts';
import { runRunbook } from './lib/run-runbook.ts';

export interface DisksFacts {
  readonly item: ItemSpec;
}

type DisksStep = Step<DisksRun, DisksFacts>;

const stopReplication: DisksStep = {
  id: 'stop-replication',
  name: 'Stop replication',
  key: 'session epoch of the item',
  held: 'Replication is stopped: recovery points grow older.',
  async run(_run, _facts, tools) {
    await tools.stopReplication();
    return {};
  },
};

const record: DisksStep = {
  id: 'record',
  name: 'Write the item record',
  key: 'name of the item record',
  async run(run, { item = run.item }) {
    await azure(item.target.location, false).prepareItem({ item });
    return { detail: `${item.disks.length} disks` };
  },
  undo: {
    name: 'Write the item record as it was',
    means: 'The set of disks stays as it was.',
    async run({ item }) {
      await azure(item.target.location, false).prepareItem({ item });
      return undefined;
    },
  },
};

export const addDisksBook: Runbook<DisksRun, DisksFacts> = {
  kind: 'addDisks',
  onFailure: 'rollBack',
  finish: 'The disks join.',
  steps: [
    stopReplication,
    {
      id: 'look',
      name: 'Look at the disks',
      key: 'reads only',
      async run({ item, deviceKeys }) {
        return {
          facts: { item: await siteTasks(item.site).addDisks({ item, deviceKeys: [...deviceKeys] }) },
        };
      },
    },
    {
      id: 'change-tracking',
      name: 'Turn changed-block tracking on',
      key: 'setting of the machine',
      async run(run, { item = run.item }) {
        await siteTasks(item.site).enableChangeTracking({ item });
        return {};
      },
    },
    record,
  ],
};

export const excludeDisksBook: Runbook<DisksRun, DisksFacts> = {
  kind: 'excludeDisks',
  onFailure: 'rollBack',
  finish: 'The disks are left out.',
  steps: [
    {
      id: 'look',
      name: 'Look at the disks',
      key: 'reads only',
      kind: 'check',
      run: async (run) => ({ facts: { item: without(run) } }),
    },
    stopReplication,
    record,
  ],
};

function without({ item, deviceKeys }: DisksRun): ItemSpec {
  for (const disk of deviceKeys) {
    if (!item.disks.some((each) => each.deviceKey === disk)) {
      throw refusal('DR_DISK_UNKNOWN', { machine: item.machineName, disk });
    }
  }
  const disks = item.disks.filter((disk) => !deviceKeys.includes(disk.deviceKey));
  if (disks[0]?.diskId !== item.disks[0]?.diskId) {
    throw refusal('DR_SETTINGS_CONFLICT', { reason: 'without its first disk the machine cannot start' });
  }
  const excludedDisks = [...(item.excludedDisks ?? []), ...deviceKeys];
  return { ...item, excludedDisks, disks: disks.map((disk, index) => ({ ...disk, index })) };
}

export async function addDisks(run: DisksRun): Promise<RunOutcome<DisksFacts>> {
  return runRunbook(addDisksBook, run);
}

export async function excludeDisks(run: DisksRun): Promise<RunOutcome<DisksFacts>> {
  return runRunbook(excludeDisksBook, run);
}
