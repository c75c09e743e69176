/**
 * Who has the right to run the machine. The fence record in the storage account names one side and a number that only
 * grows; starting the machine on either side needs that number. So a step of an older run that still lives somewhere
 * cannot start what a newer one has stopped.
 */
import type { MachineId } from '../../domain/ids.ts';
import type { ItemSpec } from '../../domain/machine.ts';
import type { AzureSide } from '../contracts/home.ts';
import { azureUndo, urgentSite } from './proxies.ts';
import type { StepTools } from './runbook.ts';

export function takeFence(item: ItemSpec, owner: 'onPremises' | 'azure', number: number) {
  return azureUndo(item.target.location).takeFence({ item, owner, number });
}

/** Gives the right back to the site and starts the machine there. The caller has proven the Azure machine stopped or gone. */
export async function powerOnAtHome(item: ItemSpec, machineId: MachineId, tools: StepTools): Promise<string> {
  const { number } = await takeFence(item, 'onPremises', await tools.stopReplication());
  const { outcome } = await urgentSite(item.site).powerOnHome({ item, machineId, fence: number });
  return outcome === 'alreadyOn' ? 'it runs already' : 'powered on';
}

/** Gives the right to run to Azure and starts the machine there. The caller has proven the machine at home off. */
export async function startInAzure(item: ItemSpec, side: AzureSide, tools: StepTools): Promise<string> {
  const { number } = await takeFence(item, 'azure', await tools.stopReplication());
  const { state } = await azureUndo(item.target.location).startAzureMachine({
    item,
    azure: side,
    fence: number,
  });
  return state;
}
