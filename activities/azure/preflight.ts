/**
 * Checks before a failover touches anything (research: Site Recovery's prerequisites check). All of them run;
 * a problem each, so that the operator sees everything that is missing at once.
 */
import { DrError } from '../../domain/errors.ts';
import type { Cloud, SubnetFacts, VmSize } from '../../domain/ports.ts';
import { azureNames } from '../../domain/names.ts';
import type { FailoverRun } from '../../workflows/contracts/types.ts';

export async function preflightProblems(cloud: Cloud, run: FailoverRun): Promise<DrError[]> {
  const found = await Promise.all([sizeAndQuota(cloud, run), network(cloud, run)]);
  return found.flat();
}

async function sizeAndQuota(cloud: Cloud, run: FailoverRun): Promise<DrError[]> {
  const { location, vmSize } = run.item.target;
  const sizes = await cloud.vmSizes(location);
  const size = sizes.find((each) => each.name.toLowerCase() === vmSize.toLowerCase());
  const unavailable = (reason: string) =>
    new DrError('DR_AZURE_SIZE_UNAVAILABLE', { size: vmSize, location, reason });
  if (size === undefined) return [unavailable('the region does not offer it')];
  const problems: DrError[] = [];
  if (size.restriction !== undefined) problems.push(unavailable(size.restriction));
  if (run.item.disks.length - 1 > size.dataDisksMax) {
    problems.push(
      unavailable(`it takes ${size.dataDisksMax} data disks, ${run.item.disks.length - 1} are needed`),
    );
  }
  const generation = run.item.firmware === 'efi' ? 'V2' : 'V1';
  if (!size.generations.includes(generation)) {
    problems.push(unavailable(`it does not start ${run.item.firmware} machines (generation ${generation})`));
  }
  return [...problems, ...(await quota(cloud, location, size))];
}

async function quota(cloud: Cloud, location: string, size: VmSize): Promise<DrError[]> {
  const usages = await cloud.usages(location);
  return usages
    .filter((usage) => usage.name === 'cores' || usage.name.toLowerCase() === size.family.toLowerCase())
    .filter((usage) => usage.used + size.cores > usage.limit)
    .map(
      (usage) =>
        new DrError('DR_AZURE_QUOTA', {
          quota: usage.name,
          location,
          limit: usage.limit,
          used: usage.used,
          needed: size.cores,
        }),
    );
}

async function network(cloud: Cloud, run: FailoverRun): Promise<DrError[]> {
  let subnet: SubnetFacts;
  try {
    subnet = await cloud.subnet(run.subnetId);
  } catch (error) {
    if (error instanceof DrError && error.code === 'DR_AZURE_NETWORK_UNKNOWN') return [error];
    throw error;
  }
  return [...isolation(run, subnet), ...address(run, subnet)];
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
  const ownGroup = `/resourcegroups/${azureNames.resourceGroup(run.runId)}/`.toLowerCase();
  const taken = subnet.usedAddresses.find((used) => used.address === wanted);
  // An address held by this machine's own earlier attempt of the same run is not in the way.
  if (taken === undefined || taken.owner.toLowerCase().includes(ownGroup)) return [];
  return [
    new DrError('DR_AZURE_ADDRESS_TAKEN', {
      address: taken.address,
      subnet: subnet.subnetId,
      owner: taken.owner,
    }),
  ];
}
