/**
 * Who has the right to run the machine. The fence record in the storage account names one side and a number that only
 * grows; starting the machine on either side needs that number. So a step of an older run that still lives somewhere
 * cannot start what a newer one has stopped. The order is always: take the fence, then see that the other side is
 * off, then start: what an older step started before the fence moved is seen, what it starts after takes itself back.
 */
import type { MachineId } from '../../domain/ids.ts';
import type { ItemSpec } from '../../domain/machine.ts';
import type { AzureSide } from '../contracts/home.ts';
import { refusal } from './failures.ts';
import { azureUndo, urgentSite } from './proxies.ts';
import type { StepTools } from './runbook.ts';

const AZURE_IS_OFF: readonly string[] = ['deallocated', 'absent'];

export function takeFence(item: ItemSpec, owner: 'onPremises' | 'azure', number: number) {
  return azureUndo(item.target.location).takeFence({ item, owner, number });
}

/** Stopped for good, as far as the power state says: nothing can write to the disks. */
export function azureSideOff(state: string): boolean {
  return AZURE_IS_OFF.includes(state);
}

/** @throws DR_AZURE_NOT_STOPPED */
export async function proveAzureOff(item: ItemSpec, side: AzureSide): Promise<string> {
  const { state } = await azureUndo(item.target.location).azurePowerState({ azure: side });
  if (azureSideOff(state)) return state;
  throw refusal('DR_AZURE_NOT_STOPPED', { machine: item.machineName, state });
}

/** Starts the machine on the site. Without an Azure side the caller has proven that there is none. */
export async function powerOnAtHome(
  item: ItemSpec,
  home: { readonly machineId: MachineId; readonly side?: AzureSide },
  tools: StepTools,
): Promise<string> {
  const { machineId, side } = home;
  const { number } = await takeFence(item, 'onPremises', await tools.stopReplication());
  if (side !== undefined) await proveAzureOff(item, side);
  const { outcome } = await urgentSite(item.site).powerOnHome({ item, machineId, fence: number });
  return outcome === 'alreadyOn' ? 'it runs already' : 'powered on';
}

/** Starts the machine in Azure. Without a home machine nothing can have started it there since it was seen off. */
export async function startInAzure(
  item: ItemSpec,
  azure: { readonly side: AzureSide; readonly homeMachineId?: MachineId },
  tools: StepTools,
): Promise<string> {
  const { side, homeMachineId } = azure;
  const { number } = await takeFence(item, 'azure', await tools.stopReplication());
  if (homeMachineId !== undefined) {
    await urgentSite(item.site).powerOffHome({ item, machineId: homeMachineId, graceSeconds: 0 });
  }
  const { state } = await azureUndo(item.target.location).startAzureMachine({
    item,
    azure: side,
    fence: number,
  });
  return state;
}
