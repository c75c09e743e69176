import { formatAddress, isIn, isReserved, parseAddress, parsePrefix } from '../addresses.ts';
import type { Answer, ArmRequest } from '../http.ts';
import { ArmError, parseBody } from '../http.ts';
import type { JsonObject, Network, SubnetDocument } from '../model.ts';
import { page } from '../paging.ts';
import type { Simulator } from '../simulator.ts';
import { requireWritableGroup } from './common.ts';
import {
  checkSubnets,
  refuseLostSubnets,
  renderSubnet,
  requireNetwork,
  saveNetwork,
  subnetBody,
  subnetDocument,
} from './networks.ts';
import { takenAddresses } from './nics.ts';

const SUGGESTIONS = 5;

export function putSubnet(simulator: Simulator, request: ArmRequest): Answer {
  const { properties } = parseBody(request, subnetBody);
  requireWritableGroup(simulator, request);
  const network = requireNetwork(simulator, request);
  const name = request.params.subnet ?? '';
  const isNew = findSubnet(network, name) === undefined;
  const subnet = subnetDocument(name, properties);
  const subnets = [...others(network, name), subnet];
  checkSubnets(network.name, addressSpace(network), subnets);
  const changed = withSubnets(network, subnets);
  return saveNetwork(
    simulator,
    request,
    changed,
    isNew ? 201 : 200,
    renderSubnet(simulator, changed, subnet, null),
  );
}

export function getSubnet(simulator: Simulator, request: ArmRequest): Answer {
  const network = requireNetwork(simulator, request);
  const name = request.params.subnet ?? '';
  const subnet = findSubnet(network, name);
  if (subnet === undefined) {
    throw new ArmError(404, 'NotFound', `Resource ${network.id}/subnets/${name} not found.`);
  }
  return { status: 200, json: renderSubnet(simulator, network, subnet, request.query.get('$expand')) };
}

export function deleteSubnet(simulator: Simulator, request: ArmRequest): Answer {
  requireWritableGroup(simulator, request);
  const network = requireNetwork(simulator, request);
  const name = request.params.subnet ?? '';
  if (findSubnet(network, name) === undefined) return { status: 204 };
  const subnets = others(network, name);
  refuseLostSubnets(simulator, network, subnets);
  const { headers = {} } = saveNetwork(simulator, request, withSubnets(network, subnets), 202, {});
  return { status: 202, headers };
}

export function listSubnets(simulator: Simulator, request: ArmRequest): Answer {
  const network = requireNetwork(simulator, request);
  const expand = request.query.get('$expand');
  return page(
    simulator,
    request,
    network.facts.subnets.map((subnet) => renderSubnet(simulator, network, subnet, expand)),
  );
}

/** CheckIPAddressAvailability: whether an address can be given to a NIC, and some that can. */
export function checkAddress(simulator: Simulator, request: ArmRequest): Answer {
  const network = requireNetwork(simulator, request);
  const text = request.query.get('ipAddress') ?? '';
  const address = parseAddress(text);
  const subnet = network.facts.subnets.find(({ addressPrefix }) => {
    const prefix = parsePrefix(addressPrefix);
    return prefix !== null && address !== null && isIn(prefix, address);
  });
  const prefix = parsePrefix(subnet?.addressPrefix ?? '');
  if (subnet === undefined || prefix === null || address === null) {
    throw new ArmError(
      400,
      'PrivateIPAddressNotInAnySubnet',
      `Private static IP address ${text} does not belong to any subnet of ${network.id}.`,
    );
  }
  const taken = takenAddresses(simulator, `${network.id}/subnets/${subnet.name}`);
  const isFree = (candidate: number) =>
    !isReserved(prefix, candidate) && !taken.has(formatAddress(candidate));
  const available = isFree(address);
  const free: string[] = [];
  for (let other = prefix.first; other <= prefix.last && free.length < SUGGESTIONS; other++) {
    if (isFree(other)) free.push(formatAddress(other));
  }
  const json: JsonObject = {
    available,
    isPlatformReserved: isReserved(prefix, address),
    availableIPAddresses: available ? [] : free,
  };
  return { status: 200, json };
}

function findSubnet(network: Network, name: string): SubnetDocument | undefined {
  return network.facts.subnets.find((subnet) => subnet.name.toLowerCase() === name.toLowerCase());
}

function others(network: Network, name: string): SubnetDocument[] {
  return network.facts.subnets.filter((subnet) => subnet.name.toLowerCase() !== name.toLowerCase());
}

function withSubnets(network: Network, subnets: readonly SubnetDocument[]): Network {
  return { ...network, state: 'Updating', facts: { ...network.facts, subnets } };
}

function addressSpace(network: Network): string[] {
  const space = (network.body.properties as JsonObject).addressSpace as JsonObject;
  return space.addressPrefixes as string[];
}
