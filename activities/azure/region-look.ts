import { DrError } from '../../domain/errors.ts';
import type { RegionLook } from '../../domain/plan/clashes.ts';
import type { Cloud, SubnetFacts } from '../../domain/ports.ts';
import type { RegionLookInput } from '../../workflows/contracts/plan-look.ts';

/** What runs of plans need to know of a region before they begin. Reads only. */
export async function lookAtRegion(
  cloud: Pick<Cloud, 'vmSizes' | 'usages' | 'subnet'>,
  { location, vmSizes, subnetIds }: RegionLookInput,
): Promise<RegionLook> {
  const wanted = new Set(vmSizes.map((name) => name.toLowerCase()));
  const [sizes, usages, subnets] = await Promise.all([
    cloud.vmSizes(location),
    cloud.usages(location),
    Promise.all(subnetIds.map((subnetId) => lookAtSubnet(cloud, subnetId))),
  ]);
  return {
    location,
    sizes: sizes
      .filter(({ name }) => wanted.has(name.toLowerCase()))
      .map(({ name, cores, family, restriction }) => ({
        name,
        cores,
        family,
        ...(restriction === undefined ? {} : { restriction }),
      })),
    usages,
    subnets,
  };
}

async function lookAtSubnet(
  cloud: Pick<Cloud, 'subnet'>,
  subnetId: string,
): Promise<{ readonly subnetId: string; readonly facts?: SubnetFacts }> {
  try {
    return { subnetId, facts: await cloud.subnet(subnetId) };
  } catch (error) {
    if (error instanceof DrError && error.code === 'DR_AZURE_NETWORK_UNKNOWN') return { subnetId };
    throw error;
  }
}
