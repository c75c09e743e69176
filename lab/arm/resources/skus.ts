import type { Answer, ArmRequest } from '../http.ts';
import { parseFilter } from '../filter.ts';
import type { JsonObject } from '../model.ts';
import { page } from '../paging.ts';
import type { Simulator } from '../simulator.ts';

export interface Sku {
  readonly name: string;
  readonly family: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly dataDisksMax: number;
  readonly generations: readonly ('V1' | 'V2')[];
  readonly diskController: 'SCSI' | 'NVMe';
  /** Azure does not offer it to the subscription in the location. */
  readonly isRestricted?: boolean;
}

function size(
  name: string,
  [cores, memoryGiB, dataDisksMax]: readonly [number, number, number],
): Pick<Sku, 'name' | 'cores' | 'memoryGiB' | 'dataDisksMax'> {
  return { name, cores, memoryGiB, dataDisksMax };
}

const bs = { family: 'standardBSFamily', generations: ['V1', 'V2'], diskController: 'SCSI' } as const;
const dsv5 = { family: 'standardDSv5Family', generations: ['V1', 'V2'], diskController: 'SCSI' } as const;
const dsv6 = { family: 'standardDSv6Family', generations: ['V2'], diskController: 'NVMe' } as const;

export const skus: readonly Sku[] = [
  { ...bs, ...size('Standard_B1s', [1, 1, 2]) },
  { ...bs, ...size('Standard_B2s', [2, 4, 4]) },
  { ...bs, ...size('Standard_B2ms', [2, 8, 4]) },
  { ...bs, ...size('Standard_B4ms', [4, 16, 8]) },
  { ...dsv5, ...size('Standard_D2s_v5', [2, 8, 4]) },
  { ...dsv5, ...size('Standard_D4s_v5', [4, 16, 8]) },
  { ...dsv5, ...size('Standard_D8s_v5', [8, 32, 16]) },
  { ...dsv5, ...size('Standard_D16s_v5', [16, 64, 32]), isRestricted: true },
  { ...dsv6, ...size('Standard_D2s_v6', [2, 8, 4]) },
];

export function findSku(name: string): Sku | undefined {
  return skus.find((sku) => sku.name.toLowerCase() === name.toLowerCase());
}

export function listSkus(simulator: Simulator, request: ArmRequest): Answer {
  const { location } = simulator.identity;
  const matches = parseFilter(request.query.get('$filter'));
  const isAsked = matches({
    id: '',
    name: '',
    type: 'Microsoft.Resources/resourceGroups',
    location,
    tags: {},
    state: 'Succeeded',
    body: {},
    facts: {},
  });
  return page(simulator, request, isAsked ? skus.map((sku) => render(sku, location)) : []);
}

function render(sku: Sku, location: string): JsonObject {
  return {
    resourceType: 'virtualMachines',
    name: sku.name,
    tier: 'Standard',
    size: sku.name.replace('Standard_', ''),
    family: sku.family,
    locations: [location],
    locationInfo: [{ location, zones: ['1', '2', '3'], zoneDetails: [] }],
    capabilities: [
      { name: 'vCPUs', value: String(sku.cores) },
      { name: 'MemoryGB', value: String(sku.memoryGiB) },
      { name: 'MaxDataDiskCount', value: String(sku.dataDisksMax) },
      { name: 'HyperVGenerations', value: sku.generations.join(',') },
      { name: 'DiskControllerTypes', value: sku.diskController },
      { name: 'PremiumIO', value: 'True' },
    ],
    restrictions: sku.isRestricted === true ? [restriction(location)] : [],
  };
}

function restriction(location: string): JsonObject {
  return {
    type: 'Location',
    values: [location],
    restrictionInfo: { locations: [location] },
    reasonCode: 'NotAvailableForSubscription',
  };
}
