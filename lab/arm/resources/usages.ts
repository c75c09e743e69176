import type { Answer, ArmRequest } from '../http.ts';
import { ArmError } from '../http.ts';
import type { Simulator } from '../simulator.ts';
import { sameId } from './common.ts';
import type { Sku } from './skus.ts';
import { findSku, skus } from './skus.ts';

interface Usage {
  readonly name: string;
  readonly localized: string;
  readonly used: number;
  readonly limit: number;
}

const limits: Readonly<Record<string, number>> = {
  cores: 100,
  virtualMachines: 25_000,
  standardBSFamily: 64,
  standardDSv5Family: 64,
  standardDSv6Family: 64,
};

const localizedNames: Readonly<Record<string, string>> = {
  cores: 'Total Regional vCPUs',
  virtualMachines: 'Virtual Machines',
  standardBSFamily: 'Standard BS Family vCPUs',
  standardDSv5Family: 'Standard DSv5 Family vCPUs',
  standardDSv6Family: 'Standard DSv6 Family vCPUs',
};

export function listUsages(simulator: Simulator, _request: ArmRequest): Answer {
  const value = usages(simulator, null).map(({ name, localized, used, limit }) => ({
    unit: 'Count',
    currentValue: used,
    limit,
    name: { value: name, localizedValue: localized },
  }));
  return { status: 200, json: { value } };
}

/** Refuses a VM whose cores would exceed the region's or the family's limit, in Azure's words. */
export function requireQuota(simulator: Simulator, sku: Sku, vmId: string): void {
  const wanted: Record<string, number> = { cores: sku.cores, [sku.family]: sku.cores, virtualMachines: 1 };
  for (const { name, used, limit } of usages(simulator, vmId)) {
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

/** Cores of all VMs count, deallocated ones too. `except`: a VM that is being replaced. */
function usages(simulator: Simulator, except: string | null): Usage[] {
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
  return [...used].map(([name, count]) => ({
    name,
    localized: localizedNames[name] ?? name,
    used: count,
    limit: simulator.store.settings.quotas[name] ?? limits[name] ?? 0,
  }));
}
