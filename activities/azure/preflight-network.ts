/** What the network of a run must be like: there, isolated for a drill, its address free. */
import { DrError } from '../../domain/errors.ts';
import { azureNames } from '../../domain/names.ts';
import type { Cloud, SubnetFacts } from '../../domain/ports.ts';
import type { FailoverRun } from '../../workflows/contracts/types.ts';
import { asProblems } from '../problems.ts';

export function networkProblems(cloud: Cloud, run: FailoverRun): Promise<DrError[]> {
  return asProblems(['DR_AZURE_NETWORK_UNKNOWN'], async () => {
    const subnet = await cloud.subnet(run.subnetId);
    return [...isolation(run, subnet), ...address(run, subnet)];
  });
}

/** A drill must not reach anything: not the production network, no peering, no gateway. */
function isolation(run: FailoverRun, subnet: SubnetFacts): DrError[] {
  if (run.mode !== 'test') return [];
  const reasons = [...subnet.reaches];
  if (run.item.target.subnetId.toLowerCase().startsWith(`${subnet.networkId.toLowerCase()}/`)) {
    reasons.push('it is the network of the real failover');
  }
  if (reasons.length === 0) return [];
  return [
    new DrError('DR_AZURE_NETWORK_NOT_ISOLATED', { network: subnet.networkId, reason: reasons.join('; ') }),
  ];
}

function address(run: FailoverRun, subnet: SubnetFacts): DrError[] {
  const wanted = run.privateIpAddress;
  // Also not in the way: the machine of the point that this run replaces.
  const own = [run.runId, ...run.removeFirst, ...(run.replaces === undefined ? [] : [run.replaces.runId])];
  const ownGroups = own.map((id) => `/resourcegroups/${azureNames.resourceGroup(id)}/`.toLowerCase());
  const taken = subnet.usedAddresses.find((used) => used.address === wanted);
  // An address held by this machine's own earlier attempt of the same run is not in the way.
  if (taken === undefined || ownGroups.some((group) => taken.owner.toLowerCase().includes(group))) return [];
  return [
    new DrError('DR_AZURE_ADDRESS_TAKEN', {
      address: taken.address,
      subnet: subnet.subnetId,
      owner: taken.owner,
    }),
  ];
}
