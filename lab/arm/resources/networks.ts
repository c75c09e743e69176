import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { contains, overlaps, parsePrefix } from '../addresses.ts';
import type { Answer, ArmRequest } from '../http.ts';
import { ArmError, parseBody } from '../http.ts';
import { begun } from '../lro.ts';
import type { JsonObject, Network, SubnetDocument } from '../model.ts';
import type { Simulator } from '../simulator.ts';
import {
  answerRepeated,
  isSameRequest,
  jsonBody,
  listOf,
  renderResource,
  requireIdle,
  requireLocation,
  requireOf,
  requireWritableGroup,
  resourceBody,
  resourceId,
  tagsOf,
} from './common.ts';
import { ipConfigurationsIn } from './nics.ts';

const TYPE = 'Microsoft.Network/virtualNetworks';

export const requireNetwork = requireOf(TYPE);

export const subnetBody = z.looseObject({ properties: z.looseObject({ addressPrefix: z.string() }) });
const networkBody = resourceBody.extend({
  properties: z.looseObject({
    addressSpace: z.looseObject({ addressPrefixes: z.array(z.string()).min(1) }),
    subnets: z.array(subnetBody.extend({ name: z.string() })).optional(),
    virtualNetworkPeerings: z
      .array(z.looseObject({ name: z.string(), properties: z.record(z.string(), z.json()).optional() }))
      .optional(),
  }),
});

export function putNetwork(simulator: Simulator, request: ArmRequest): Answer {
  const body = parseBody(request, networkBody);
  requireWritableGroup(simulator, request);
  const location = requireLocation(simulator, body.location);
  const id = resourceId(simulator, request, TYPE);
  const existing = simulator.store.find(TYPE, id);
  if (existing !== undefined && isSameRequest(existing, request)) {
    const repeated = answerRepeated(simulator, existing, render(simulator, existing), 200);
    if (repeated !== null) return repeated;
  }
  const subnets = (body.properties.subnets ?? []).map(({ name, properties }) =>
    subnetDocument(name, properties),
  );
  checkSubnets(request.params.name ?? '', body.properties.addressSpace.addressPrefixes, subnets);
  const network: Network = {
    id: existing?.id ?? id,
    type: TYPE,
    name: existing?.name ?? request.params.name ?? '',
    location,
    tags: tagsOf(body.tags),
    state: 'Updating',
    body: jsonBody(request),
    facts: { guid: existing?.facts.guid ?? randomUUID(), subnets },
  };
  if (existing !== undefined) refuseLostSubnets(simulator, existing, subnets);
  return saveNetwork(
    simulator,
    request,
    network,
    existing === undefined ? 201 : 200,
    render(simulator, network),
  );
}

/** Begins the operation that ends with the network's state Succeeded. */
export function saveNetwork(
  simulator: Simulator,
  request: ArmRequest,
  network: Network,
  status: number,
  json: JsonObject,
): Answer {
  requireIdle(simulator, network.id);
  const operation = simulator.lro.begin({
    kind: 'resource.settle',
    resourceId: network.id,
    location: network.location,
    provider: 'Microsoft.Network',
    request,
    durationMs: simulator.store.settings.operationMs,
    changes: [{ put: network }],
  });
  return begun(simulator, operation, { status, json });
}

export function subnetDocument(name: string, properties: Record<string, unknown>): SubnetDocument {
  return { name, addressPrefix: String(properties.addressPrefix), properties: properties as JsonObject };
}

export function checkSubnets(
  network: string,
  space: readonly string[],
  subnets: readonly SubnetDocument[],
): void {
  const spaces = space.map((text) => ({ text, prefix: parsePrefix(text) }));
  const invalid = spaces.find(({ prefix }) => prefix === null);
  if (invalid !== undefined) {
    throw new ArmError(
      400,
      'InvalidAddressPrefixFormat',
      `Address prefix ${invalid.text} of ${network} is not valid.`,
    );
  }
  const seen: { name: string; first: number; last: number }[] = [];
  for (const { name, addressPrefix } of subnets) {
    const prefix = parsePrefix(addressPrefix);
    if (prefix === null || !spaces.some((outer) => outer.prefix !== null && contains(outer.prefix, prefix))) {
      throw new ArmError(
        400,
        'NetcfgInvalidSubnet',
        `Subnet '${name}' is not valid in virtual network '${network}'.`,
      );
    }
    const other = seen.find((each) => overlaps(each, prefix));
    if (other !== undefined) {
      throw new ArmError(
        400,
        'NetcfgSubnetRangesOverlap',
        `Subnet '${name}' overlaps with subnet '${other.name}'.`,
      );
    }
    seen.push({ name, ...prefix });
  }
}

export function refuseLostSubnets(
  simulator: Simulator,
  before: Network,
  after: readonly SubnetDocument[],
): void {
  for (const { name } of before.facts.subnets) {
    if (after.some((subnet) => subnet.name.toLowerCase() === name.toLowerCase())) continue;
    const user = ipConfigurationsIn(simulator, `${before.id}/subnets/${name}`)[0];
    if (user === undefined) continue;
    throw new ArmError(
      400,
      'InUseSubnetCannotBeDeleted',
      `Subnet ${name} is in use by ${user.id} and cannot be deleted.`,
    );
  }
}

export function getNetwork(simulator: Simulator, request: ArmRequest): Answer {
  const network = requireNetwork(simulator, request);
  return { status: 200, json: render(simulator, network, request.query.get('$expand')) };
}

export const listNetworks = listOf(TYPE, (simulator, network) => render(simulator, network));

export function render(simulator: Simulator, network: Network, expand: string | null = null): JsonObject {
  const { virtualNetworkPeerings } = (network.body.properties ?? {}) as JsonObject;
  return renderResource(network, {
    resourceGuid: network.facts.guid,
    subnets: network.facts.subnets.map((subnet) => renderSubnet(simulator, network, subnet, expand)),
    virtualNetworkPeerings: peeringsOf(virtualNetworkPeerings).map((peering) =>
      renderPeering(network, peering),
    ),
    enableDdosProtection: false,
  });
}

function peeringsOf(value: JsonObject[string] | undefined): JsonObject[] {
  return Array.isArray(value) ? (value as JsonObject[]) : [];
}

function renderPeering(network: Network, peering: JsonObject): JsonObject {
  return {
    ...peering,
    id: `${network.id}/virtualNetworkPeerings/${typeof peering.name === 'string' ? peering.name : ''}`,
    type: `${TYPE}/virtualNetworkPeerings`,
    properties: {
      peeringState: 'Connected',
      allowVirtualNetworkAccess: true,
      ...(peering.properties as JsonObject | undefined),
      provisioningState: 'Succeeded',
    },
  };
}

/** `expand` with `ipConfigurations` shows them whole, else their ids only, as Network answers. */
export function renderSubnet(
  simulator: Simulator,
  network: Network,
  subnet: SubnetDocument,
  expand: string | null,
): JsonObject {
  const id = `${network.id}/subnets/${subnet.name}`;
  const used = ipConfigurationsIn(simulator, id);
  const isWhole = expand?.toLowerCase().includes('ipconfigurations') === true;
  return {
    id,
    name: subnet.name,
    type: `${TYPE}/subnets`,
    properties: {
      ...subnet.properties,
      ...(used.length === 0
        ? {}
        : {
            ipConfigurations: isWhole ? used : used.map(({ id: used }) => ({ id: used })),
          }),
      provisioningState: 'Succeeded',
    },
  };
}
