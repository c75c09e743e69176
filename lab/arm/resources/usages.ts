import type { Answer, ArmRequest } from '../http.ts';
import { ArmError } from '../http.ts';
import type { JsonObject, ResourceType } from '../model.ts';
import type { Simulator } from '../simulator.ts';
import { requireLocation, sameId } from './common.ts';
import type { Sku } from './skus.ts';
import { findSku, skus } from './skus.ts';

interface Usage {
  readonly name: string;
  readonly localized: string;
  readonly used: number;
  readonly limit: number;
}

/** Azure's own default limits of networking; those of compute are small, so that they are met. */
const limits: Readonly<Record<string, number>> = {
  cores: 100,
  virtualMachines: 25_000,
  standardBSFamily: 64,
  standardDSv5Family: 64,
  standardDSv6Family: 64,
  NetworkInterfaces: 65_536,
  NetworkSecurityGroups: 5_000,
  PublicIPAddresses: 1_000,
  VirtualNetworks: 1_000,
};

const localizedNames: Readonly<Record<string, string>> = {
  cores: 'Total Regional vCPUs',
  virtualMachines: 'Virtual Machines',
  standardBSFamily: 'Standard BS Family vCPUs',
  standardDSv5Family: 'Standard DSv5 Family vCPUs',
  standardDSv6Family: 'Standard DSv6 Family vCPUs',
  NetworkInterfaces: 'Network Interfaces',
  NetworkSecurityGroups: 'Network Security Groups',
  PublicIPAddresses: 'Public IP Addresses',
  VirtualNetworks: 'Virtual Networks',
};

const networkTypes: readonly (readonly [name: string, type: ResourceType])[] = [
  ['VirtualNetworks', 'Microsoft.Network/virtualNetworks'],
  ['NetworkInterfaces', 'Microsoft.Network/networkInterfaces'],
  ['NetworkSecurityGroups', 'Microsoft.Network/networkSecurityGroups'],
  ['PublicIPAddresses', 'Microsoft.Network/publicIPAddresses'],
];

export function listComputeUsages(simulator: Simulator, _request: ArmRequest): Answer {
  return { status: 200, json: { value: computeUsages(simulator, null).map(rendered) } };
}

export function listNetworkUsages(simulator: Simulator, { params }: ArmRequest): Answer {
  const { subscriptionId } = simulator.identity;
  const location = requireLocation(simulator, params.location ?? '');
  const folder = `/subscriptions/${subscriptionId}/providers/Microsoft.Network/locations/${location}/usages`;
  const value = networkUsages(simulator).map((usage) => ({
    id: `${folder}/${usage.name}`,
    ...rendered(usage),
  }));
  return { status: 200, json: { value } };
}

/** Refuses a VM whose cores would exceed the region's or the family's limit, in Azure's words. */
export function requireQuota(simulator: Simulator, sku: Sku, vmId: string): void {
  const wanted: Record<string, number> = { cores: sku.cores, [sku.family]: sku.cores, virtualMachines: 1 };
  for (const { name, used, limit } of computeUsages(simulator, vmId)) {
    const additional = wanted[name] ?? 0;
    if (used + additional <= limit) continue;
    const what = name === 'cores' ? 'Total Regional Cores' : `${name} Cores`;
    throw new ArmError(
      409,
      'OperationNotAllowed',
      `Operation could not be completed as it results in exceeding approved ${what} quota. Additional details - Deployment Model: Resource Manager, Location: ${simulator.identity.location}, Current Limit: ${limit}, Current Usage: ${used}, Additional Required: ${additional}, (Minimum) New Limit Required: ${used + additional}.`,
    );
  }
}

/** Refuses one more network interface than the region's limit. */
export function requireInterfaceQuota(simulator: Simulator): void {
  const usage = networkUsages(simulator).find(({ name }) => name === 'NetworkInterfaces');
  if (usage === undefined || usage.used < usage.limit) return;
  throw new ArmError(
    400,
    'NetworkInterfaceCountLimitReached',
    `Cannot create more than ${usage.limit} network interfaces for this subscription in this region.`,
  );
}

/** Cores of all VMs count, deallocated ones too. `except`: a VM that is being replaced. */
function computeUsages(simulator: Simulator, except: string | null): Usage[] {
  const vms = simulator.store
    .ofType('Microsoft.Compute/virtualMachines')
    .filter(({ id }) => except === null || !sameId(id, except));
  const families = [...new Set(skus.map(({ family }) => family))];
  const used = new Map<string, number>([
    ['cores', vms.reduce((sum, { facts }) => sum + facts.cores, 0)],
    ['virtualMachines', vms.length],
    ...families.map((family): [string, number] => [
      family,
      vms
        .filter(({ facts }) => findSku(facts.size)?.family === family)
        .reduce((sum, { facts }) => sum + facts.cores, 0),
    ]),
  ]);
  return [...used].map(([name, count]) => usageOf(simulator, name, count));
}

function networkUsages(simulator: Simulator): Usage[] {
  return networkTypes.map(([name, type]) => usageOf(simulator, name, simulator.store.ofType(type).length));
}

function usageOf(simulator: Simulator, name: string, used: number): Usage {
  const limit = simulator.store.settings.quotas[name] ?? limits[name] ?? 0;
  return { name, localized: localizedNames[name] ?? name, used, limit };
}

function rendered({ name, localized, used, limit }: Usage): JsonObject {
  return { unit: 'Count', currentValue: used, limit, name: { value: name, localizedValue: localized } };
}
