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
  /** Azure does not offer it to the subscription in the location. */
  readonly isRestricted?: boolean;
}

export const skus: readonly Sku[] = [
  { name: 'Standard_B1s', family: 'standardBSFamily', cores: 1, memoryGiB: 1, dataDisksMax: 2 },
  { name: 'Standard_B2s', family: 'standardBSFamily', cores: 2, memoryGiB: 4, dataDisksMax: 4 },
  { name: 'Standard_B2ms', family: 'standardBSFamily', cores: 2, memoryGiB: 8, dataDisksMax: 4 },
  { name: 'Standard_B4ms', family: 'standardBSFamily', cores: 4, memoryGiB: 16, dataDisksMax: 8 },
  { name: 'Standard_D2s_v5', family: 'standardDSv5Family', cores: 2, memoryGiB: 8, dataDisksMax: 4 },
  { name: 'Standard_D4s_v5', family: 'standardDSv5Family', cores: 4, memoryGiB: 16, dataDisksMax: 8 },
  { name: 'Standard_D8s_v5', family: 'standardDSv5Family', cores: 8, memoryGiB: 32, dataDisksMax: 16 },
  {
    name: 'Standard_D16s_v5',
    family: 'standardDSv5Family',
    cores: 16,
    memoryGiB: 64,
    dataDisksMax: 32,
    isRestricted: true,
  },
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
      { name: 'HyperVGenerations', value: 'V1,V2' },
      { name: 'DiskControllerTypes', value: 'SCSI' },
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
