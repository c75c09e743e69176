import { randomUUID } from 'node:crypto';
import type { Identity } from './identity.ts';
import type { JsonObject, Network } from './model.ts';
import type { Store } from './store.ts';

const GROUP = 'practice-network';

/** What a new subscription holds: a network that reaches on-premises, and one that reaches nothing. */
export function seed(store: Store, identity: Identity): void {
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
        space: '10.10.0.0/16',
        subnet: 'default',
        prefix: '10.10.1.0/24',
        peerings: [peering],
      }),
    },
    {
      put: network(groupId, location, {
        name: 'isolated',
        space: '10.99.0.0/16',
        subnet: 'drill',
        prefix: '10.99.1.0/24',
        peerings: [],
      }),
    },
  ]);
}

interface Plan {
  readonly name: string;
  readonly space: string;
  readonly subnet: string;
  readonly prefix: string;
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
