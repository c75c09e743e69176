import { randomUUID } from 'node:crypto';
import type { Identity } from './identity.ts';
import type { JsonObject, Network } from './model.ts';
import type { Store } from './store.ts';

const GROUP = 'practice-network';

interface NetworkAddresses {
  readonly space: string;
  readonly prefix: string;
}

export interface Networks {
  readonly production: NetworkAddresses;
  readonly isolated: NetworkAddresses;
}

export const ordinaryNetworks: Networks = {
  production: { space: '10.10.0.0/16', prefix: '10.10.1.0/24' },
  isolated: { space: '10.99.0.0/16', prefix: '10.99.1.0/24' },
};

/** Told apart from those of other practice grounds on this host by the simulator's port: 127.<high>.<low>.0/24 in halves. */
export function loopbackNetworks(port: number): Networks {
  const base = `127.${port >> 8}.${port & 0xff}`;
  const half = (first: number) => ({ space: `${base}.${first}/25`, prefix: `${base}.${first}/25` });
  return { production: half(0), isolated: half(128) };
}

/** What a new subscription holds: a network that reaches on-premises, and one that reaches nothing. */
export function seed(store: Store, identity: Identity, networks: Networks): void {
  if (store.resources().length > 0) return;
  const { location, subscriptionId } = identity;
  const groupId = `/subscriptions/${subscriptionId}/resourceGroups/${GROUP}`;
  const hub = `/subscriptions/${subscriptionId}/resourceGroups/connectivity/providers/Microsoft.Network/virtualNetworks/on-premises-hub`;
  const peering = {
    name: 'to-on-premises-hub',
    properties: {
      remoteVirtualNetwork: { id: hub },
      remoteAddressSpace: { addressPrefixes: ['10.0.0.0/16'] },
      allowForwardedTraffic: true,
      allowGatewayTransit: false,
      useRemoteGateways: true,
    },
  };
  store.commit([
    {
      put: {
        id: groupId,
        type: 'Microsoft.Resources/resourceGroups',
        name: GROUP,
        location,
        tags: {},
        state: 'Succeeded',
        body: { location },
        facts: {},
      },
    },
    {
      put: network(groupId, location, {
        name: 'production',
        ...networks.production,
        subnet: 'default',
        peerings: [peering],
      }),
    },
    {
      put: network(groupId, location, {
        name: 'isolated',
        ...networks.isolated,
        subnet: 'drill',
        peerings: [],
      }),
    },
  ]);
}

interface Plan extends NetworkAddresses {
  readonly name: string;
  readonly subnet: string;
  readonly peerings: JsonObject[];
}

function network(groupId: string, location: string, plan: Plan): Network {
  const properties = { addressPrefix: plan.prefix };
  return {
    id: `${groupId}/providers/Microsoft.Network/virtualNetworks/${plan.name}`,
    type: 'Microsoft.Network/virtualNetworks',
    name: plan.name,
    location,
    tags: {},
    state: 'Succeeded',
    body: {
      location,
      properties: {
        addressSpace: { addressPrefixes: [plan.space] },
        subnets: [{ name: plan.subnet, properties }],
        virtualNetworkPeerings: plan.peerings,
      },
    },
    facts: {
      guid: randomUUID(),
      subnets: [{ name: plan.subnet, addressPrefix: plan.prefix, properties }],
    },
  };
}
