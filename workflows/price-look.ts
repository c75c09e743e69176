/**
 * Asks what machines cost before a plan runs. Reads only, takes no slot, may run beside anything; whoever began it stops
 * waiting when nobody answers, and it ends by itself within a minute.
 */
import type { MachinePrice } from '../domain/ports.ts';
import type { PriceMachinesInput } from './contracts/plan-look.ts';
import { azureLooks } from './lib/proxies.ts';

export async function priceLook(input: PriceMachinesInput): Promise<readonly MachinePrice[]> {
  return azureLooks(input.location).priceMachines(input);
}
