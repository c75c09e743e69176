/** What is known of a subnet before anything is put into it. */
import type { NetworkInterface, VirtualNetwork } from '@azure/arm-network';
import { DrError } from '../../../domain/errors.ts';
import type { SubnetFacts } from '../../../domain/ports.ts';
import { call, collect, getOrNull } from './clients.ts';
import type { Clients } from './clients.ts';
import { isSameId, nameOf, parseSubnetId } from './resource-id.ts';

/** Azure puts the gateways to other networks into a subnet of this name. */
const GATEWAY_SUBNET = 'GatewaySubnet';

/** @throws DR_AZURE_NETWORK_UNKNOWN, also for a network of another subscription, which no interface could join. */
export async function readSubnet(clients: Clients, subnetId: string): Promise<SubnetFacts> {
  const unknown = () => new DrError('DR_AZURE_NETWORK_UNKNOWN', { subnet: subnetId });
  const path = parseSubnetId(subnetId);
  if (path === null || !isSameId(path.subscriptionId, clients.subscriptionId)) throw unknown();
  const network = await getOrNull({ attempted: `look at network ${path.network}` }, () =>
    clients.network.virtualNetworks.get(path.group, path.network),
  );
  const subnet = network?.subnets?.find(({ name }) => isSameId(name, path.subnet));
  if (network === null || subnet === undefined) throw unknown();
  const nics = await nicsOf(clients, path.networkId);
  return {
    subnetId,
    networkId: path.networkId,
    addressPrefix: subnet.addressPrefix ?? subnet.addressPrefixes?.[0] ?? '',
    reaches: [...gatewaysOf(network), ...publicAddressesOf(nics)],
    usedAddresses: usedAddresses(nics, subnetId),
  };
}

function gatewaysOf(network: VirtualNetwork): string[] {
  const subnets = network.subnets ?? [];
  return [
    ...(network.virtualNetworkPeerings ?? []).map(({ name }) => `peering ${name ?? 'without a name'}`),
    ...subnets.filter(({ name }) => isSameId(name, GATEWAY_SUBNET)).map(() => `gateway in ${GATEWAY_SUBNET}`),
    ...subnets.flatMap(({ natGateway }) => (natGateway?.id ? [`NAT gateway ${nameOf(natGateway.id)}`] : [])),
  ];
}

function publicAddressesOf(nics: readonly NetworkInterface[]): string[] {
  return nics.flatMap((nic) =>
    (nic.ipConfigurations ?? []).flatMap(({ publicIPAddress }) =>
      publicIPAddress?.id === undefined
        ? []
        : [`public address ${nameOf(publicIPAddress.id)} of ${nic.name ?? 'an interface'}`],
    ),
  );
}

function usedAddresses(nics: readonly NetworkInterface[], subnetId: string): SubnetFacts['usedAddresses'] {
  return nics.flatMap((nic) =>
    (nic.ipConfigurations ?? []).flatMap(({ subnet, privateIPAddress }) =>
      privateIPAddress !== undefined && isSameId(subnet?.id, subnetId)
        ? [{ address: privateIPAddress, owner: nic.virtualMachine?.id ?? nic.id ?? 'unknown' }]
        : [],
    ),
  );
}

/** Interfaces with an address in the network. */
function nicsOf(clients: Clients, networkId: string): Promise<NetworkInterface[]> {
  const prefix = `${networkId.toLowerCase()}/subnets/`;
  const isIn = (nic: NetworkInterface) =>
    (nic.ipConfigurations ?? []).some(({ subnet }) => subnet?.id?.toLowerCase().startsWith(prefix));
  return call({ attempted: 'list network interfaces' }, () =>
    collect(clients.network.networkInterfaces.listAll(), (nic) => (isIn(nic) ? nic : null)),
  );
}
