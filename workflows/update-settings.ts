/**
 * Update of policy, target settings and priority.
 *
 * Theory of operation. Before: the item replicates or has come home. After: the item record in the storage account and
 * the entity hold the new settings, and replication goes on with them from its next cycle; a failover uses them from
 * now on. Nothing that runs in Azure changes. The record is written first, so that a failover without the catalogue
 * knows no older settings than the entity. Undo writes the old record again.
 */
import type { ItemSpec, TargetSettings } from '../domain/machine.ts';
import type { RunOutcome, UpdateSettingsRun } from './contracts/runs.ts';
import { refusal } from './lib/failures.ts';
import { azure } from './lib/proxies.ts';
import type { Runbook } from './lib/runbook.ts';
import { runRunbook } from './lib/run-runbook.ts';

export interface SettingsFacts {
  readonly item: ItemSpec;
}

export const updateSettingsBook: Runbook<UpdateSettingsRun, SettingsFacts> = {
  kind: 'updateSettings',
  onFailure: 'rollBack',
  finish: 'The settings are changed.',
  steps: [
    {
      id: 'merge',
      name: 'Put old and new settings together',
      key: 'reads only',
      kind: 'check',
      run: async (run) => ({ facts: { item: merged(run) } }),
    },
    {
      id: 'record',
      name: 'Write the item record',
      key: 'name of the item record',
      async run(run, { item = run.item }) {
        await azure(item.target.location, false).prepareItem({ item });
        return {};
      },
      undo: {
        name: 'Write the item record as it was',
        means: 'The settings stay as they were.',
        async run({ item }) {
          await azure(item.target.location, false).prepareItem({ item });
          return undefined;
        },
      },
    },
  ],
};

function merged({ item, policy, target = {}, priority }: UpdateSettingsRun): ItemSpec {
  const changed = Object.entries({ ...item.target, ...target }).filter(([, value]) => value !== null);
  const settings = Object.fromEntries(changed) as unknown as TargetSettings;
  if (settings.zone !== undefined && settings.availabilitySetId !== undefined) {
    const reason = 'a machine lies in a zone or in an availability set, not in both';
    throw refusal('DR_SETTINGS_CONFLICT', { reason });
  }
  const changes = { target: settings, policy: policy ?? item.policy };
  return { ...item, ...changes, ...(priority === undefined ? {} : { priority }) };
}

export async function updateSettings(run: UpdateSettingsRun): Promise<RunOutcome<SettingsFacts>> {
  return runRunbook(updateSettingsBook, run);
}
