/** What the network of a run must be like: there, isolated for a drill, its address free. */
import { DrError } from '../../domain/errors.ts';
import type { Cloud, SubnetFacts } from '../../domain/ports.ts';
import type { FailoverRun } from '../../workflows/contracts/types.ts';
import { asProblems } from '../problems.ts';
import { isOfRun } from './own-resources.ts';

export function networkProblems(cloud: Cloud, run: FailoverRun): Promise<DrError[]> {
  return asProblems(['DR_AZURE_NETWORK_UNKNOWN'], async () => {
    const subnet = await cloud.subnet(run.subnetId);
    return [...isolation(run, subnet), ...(await address(cloud, run, subnet))];
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

async function address(cloud: Cloud, run: FailoverRun, subnet: SubnetFacts): Promise<DrError[]> {
  const taken = subnet.usedAddresses.find((used) => used.address === run.privateIpAddress);
  // An address held by an earlier attempt of this run, or by the machine it replaces, is not in the way.
  if (taken === undefined || (await isOfRun(cloud, run, taken.owner))) return [];
  return [
    new DrError('DR_AZURE_ADDRESS_TAKEN', {
      address: taken.address,
      subnet: subnet.subnetId,
      owner: taken.owner,
    }),
  ];
}
