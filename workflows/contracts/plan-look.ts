/** What is asked of a region before a plan runs there. Plain JSON only. */
import type { MachineKind, MachinePrice } from '../../domain/ports.ts';

export interface RegionLookInput {
  readonly location: string;
  readonly vmSizes: readonly string[];
  readonly subnetIds: readonly string[];
}

export interface PriceMachinesInput {
  readonly location: string;
  /** ISO 4217. */
  readonly currency: string;
  /** Each kind once. */
  readonly machines: readonly MachineKind[];
}

export interface PriceActivities {
  /** Of those that the price list has. @throws DR_AZURE_PRICES_UNREADABLE */
  priceMachines(input: PriceMachinesInput): Promise<readonly MachinePrice[]>;
}
