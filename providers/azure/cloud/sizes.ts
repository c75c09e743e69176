/** VM sizes a machine from VMware can run on, and what the subscription still allows. */
import type { ResourceSku, Usage as ComputeUsage } from '@azure/arm-compute';
import type { Usage as NetworkUsage } from '@azure/arm-network';
import type { Cloud, VmSize } from '../../../domain/ports.ts';
import { call, collect } from './clients.ts';
import type { Clients } from './clients.ts';
import { failureOf } from './failure.ts';
import { isSameId } from './resource-id.ts';

type Usage = Awaited<ReturnType<Cloud['usages']>>[number];

export function createSizes(clients: Clients): Pick<Cloud, 'vmSizes' | 'usages'> {
  return {
    vmSizes: (location) =>
      call({ attempted: `list VM sizes of ${location}`, location }, () =>
        collect(clients.compute.resourceSkus.list({ filter: `location eq '${location}'` }), (sku) =>
          sku.resourceType === 'virtualMachines' && sku.locations?.some((at) => isSameId(at, location))
            ? sizeOf(sku)
            : null,
        ),
      ),
    usages: (location) =>
      call({ attempted: `list usages of ${location}`, location }, async () => {
        const lists = [
          collect(clients.compute.usage.list(location), usageOf),
          unlessUntold(collect(clients.network.usages.list(location), usageOf)),
        ];
        return (await Promise.all(lists)).flat();
      }),
  };
}

function usageOf({ name, currentValue, limit }: ComputeUsage | NetworkUsage): Usage | null {
  return name.value === undefined ? null : { name: name.value, used: currentValue, limit };
}

/** Custom roles from before networking was looked at may not read its list; and no answer of it may hold up a failover. */
async function unlessUntold(usages: Promise<Usage[]>): Promise<Usage[]> {
  try {
    return await usages;
  } catch (error) {
    if (failureOf(error) !== null) return [];
    throw error;
  }
}

function sizeOf(sku: ResourceSku): VmSize {
  const capabilities = new Map(sku.capabilities?.map(({ name, value }) => [name, value]));
  const number = (name: string) => Number(capabilities.get(name) ?? 0);
  const generations = (capabilities.get('HyperVGenerations') ?? 'V1').split(',');
  const restriction = restrictionOf(sku, capabilities);
  return {
    name: sku.name ?? '',
    cores: number('vCPUs'),
    memoryMiB: Math.round(number('MemoryGB') * 1024),
    dataDisksMax: number('MaxDataDiskCount'),
    family: sku.family ?? '',
    generations: (['V1', 'V2'] as const).filter((generation) => generations.includes(generation)),
    ...(restriction === undefined ? {} : { restriction }),
  };
}

/** Zone restrictions do not count: few machines ask for a zone, and one without the size refuses them itself. */
function restrictionOf(
  sku: ResourceSku,
  capabilities: ReadonlyMap<string | undefined, string | undefined>,
): string | undefined {
  const inRegion = sku.restrictions?.find(({ type }) => type === 'Location');
  if (inRegion !== undefined) return inRegion.reasonCode ?? 'restricted in this region';
  const controllers = capabilities.get('DiskControllerTypes');
  if (controllers !== undefined && !controllers.includes('SCSI')) return 'it has no SCSI disk controller';
  const architecture = capabilities.get('CpuArchitectureType');
  if (architecture !== undefined && architecture !== 'x64') return `its processor is ${architecture}`;
  return undefined;
}
