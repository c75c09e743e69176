/**
 * Looks at a region before a plan runs there: sizes, quota, subnets. Reads only, takes no slot, may run beside anything;
 * whoever began it stops waiting when nobody answers, and it ends by itself within a minute.
 */
import type { RegionLook } from '../domain/plan/clashes.ts';
import type { RegionLookInput } from './contracts/plan-look.ts';
import { azureLooks } from './lib/proxies.ts';

export async function regionLook(input: RegionLookInput): Promise<RegionLook> {
  return azureLooks(input.location).lookAtRegion(input);
}
