import { randomBytes, randomUUID } from 'node:crypto';
import { z } from 'zod';
import { isIn, isReserved, nextFree, parseAddress, parsePrefix } from '../addresses.ts';
import type { Prefix } from '../addresses.ts';
import type { Answer, ArmRequest } from '../http.ts';
import { ArmError, parseBody } from '../http.ts';
import type { JsonObject, Nic, NicFacts } from '../model.ts';
import type { Simulator } from '../simulator.ts';
import {
  listOf,
  renderResource,
  requireOf,
  requireWritableGroup,
  resourceBody,
  resourceId,
  sameId,
} from './common.ts';
import { putByOperation } from './put.ts';
import { requireInterfaceQuota } from './usages.ts';

const TYPE = 'Microsoft.Network/networkInterfaces';

const requireNic = requireOf(TYPE);

const ipConfiguration = z.looseObject({
  name: z.string(),
  properties: z.looseObject({
    subnet: z.looseObject({ id: z.string() }),
    privateIPAllocationMethod: z.enum(['Static', 'Dynamic']).optional(),
    privateIPAddress: z.string().optional(),
  }),
});
const nicBody = resourceBody.extend({
  properties: z.looseObject({ ipConfigurations: z.array(ipConfiguration).min(1) }),
});
type IpConfiguration = z.infer<typeof ipConfiguration>;
type Allocation = NicFacts['addresses'][number];

export function putNic(simulator: Simulator, request: ArmRequest): Answer {
  const body = parseBody(request, nicBody);
  requireWritableGroup(simulator, request);
  const id = resourceId(simulator, request, TYPE);
  const existing = simulator.store.find(TYPE, id);
  return putByOperation<Nic>(simulator, request, {
    existing,
    named: { id, name: request.params.name ?? '' },
    stateOfNew: 'Creating',
    body,
    admit: () => requireInterfaceQuota(simulator),
    build: (common) => ({
      ...common,
      type: TYPE,
      facts: {
        macAddress: existing?.facts.macAddress ?? newMacAddress(),
        guid: existing?.facts.guid ?? randomUUID(),
        addresses: allocate(simulator, id, body.properties.ipConfigurations, existing?.facts.addresses ?? []),
      },
    }),
    render: (nic) => render(simulator, nic),
    operation: { kind: 'resource.settle', provider: 'Microsoft.Network' },
  });
}

function allocate(
  simulator: Simulator,
  nicId: string,
  wanted: readonly IpConfiguration[],
  before: readonly Allocation[],
): Allocation[] {
  const given: Allocation[] = [];
  for (const configuration of wanted) {
    const kept = before.find(({ configuration: name }) => name === configuration.name);
    given.push(allocateOne(simulator, nicId, configuration, kept, given));
  }
  return given;
}

function allocateOne(
  simulator: Simulator,
  nicId: string,
  { name, properties }: IpConfiguration,
  kept: Allocation | undefined,
  siblings: readonly Allocation[],
): Allocation {
  const subnetId = properties.subnet.id;
  const prefix = requireSubnet(simulator, nicId, subnetId);
  const taken = takenAddresses(simulator, subnetId, nicId);
  for (const { address } of siblings) taken.set(address, nicId);
  const method = properties.privateIPAllocationMethod ?? 'Dynamic';
  if (method === 'Static') {
    const address = checkStatic(
      properties.privateIPAddress,
      prefix,
      `${nicId}/ipConfigurations/${name}`,
      taken,
    );
    return { configuration: name, subnetId, address, method };
  }
  const isKept = kept !== undefined && sameId(kept.subnetId, subnetId) && !taken.has(kept.address);
  const address = isKept ? kept.address : nextFree(prefix, new Set(taken.keys()));
  if (address === null) {
    throw new ArmError(
      400,
      'SubnetIsFull',
      `Subnet ${subnetId} does not have enough capacity for 1 IP address.`,
    );
  }
  return { configuration: name, subnetId, address, method };
}

function checkStatic(
  text: string | undefined,
  prefix: Prefix,
  configurationId: string,
  taken: ReadonlyMap<string, string>,
): string {
  const address = text === undefined ? null : parseAddress(text);
  if (text === undefined || address === null) {
    throw new ArmError(
      400,
      'InvalidIPAddressFormat',
      `IP configuration ${configurationId} has no valid private IP address.`,
    );
  }
  if (!isIn(prefix, address)) {
    throw new ArmError(
      400,
      'PrivateIPAddressNotInSubnet',
      `Private static IP address ${text} does not belong to the range of the subnet of ${configurationId}.`,
    );
  }
  if (isReserved(prefix, address)) {
    throw new ArmError(
      400,
      'PrivateIPAddressInReservedRange',
      `Private static IP address ${text} falls within reserved IP range of subnet prefix.`,
    );
  }
  const owner = taken.get(text);
  if (owner === undefined) return text;
  throw new ArmError(
    400,
    'PrivateIPAddressIsAllocated',
    `IP configuration ${configurationId} is using the private IP address ${text} which is already allocated to resource ${owner}.`,
  );
}

function requireSubnet(simulator: Simulator, nicId: string, subnetId: string): Prefix {
  const [networkId = '', name = ''] = subnetId.split(/\/subnets\//i);
  const network = simulator.store.find('Microsoft.Network/virtualNetworks', networkId);
  const subnet = network?.facts.subnets.find((each) => each.name.toLowerCase() === name.toLowerCase());
  const prefix = parsePrefix(subnet?.addressPrefix ?? '');
  if (prefix !== null) return prefix;
  throw new ArmError(
    400,
    'InvalidResourceReference',
    `Resource ${subnetId} referenced by resource ${nicId} was not found. Please make sure that the referenced resource exists, and that both resources are in the same region.`,
  );
}

/** Addresses in use in a subnet and the ip configuration that holds each; `except`: a NIC that is being changed. */
export function takenAddresses(simulator: Simulator, subnetId: string, except = ''): Map<string, string> {
  return new Map(
    simulator.store
      .ofType(TYPE)
      .filter(({ id }) => !sameId(id, except))
      .flatMap(({ id, facts }) =>
        facts.addresses
          .filter((allocation) => sameId(allocation.subnetId, subnetId))
          .map(({ address, configuration }): [string, string] => [
            address,
            `${id}/ipConfigurations/${configuration}`,
          ]),
      ),
  );
}

type RenderedAllocation = JsonObject & { readonly id: string };

export function ipConfigurationsIn(simulator: Simulator, subnetId: string): RenderedAllocation[] {
  return simulator.store
    .ofType(TYPE)
    .flatMap((nic) =>
      nic.facts.addresses
        .filter((allocation) => sameId(allocation.subnetId, subnetId))
        .map((allocation) => renderAllocation(nic, allocation, {})),
    );
}

export function getNic(simulator: Simulator, request: ArmRequest): Answer {
  return { status: 200, json: render(simulator, requireNic(simulator, request)) };
}

export const listNics = listOf(TYPE, (simulator, nic) => render(simulator, nic));

export function render(simulator: Simulator, nic: Nic): JsonObject {
  const vm = simulator.store
    .ofType('Microsoft.Compute/virtualMachines')
    .find(({ facts }) => facts.nics.some(({ id }) => sameId(id, nic.id)));
  const asked = ((nic.body.properties as JsonObject).ipConfigurations ?? []) as JsonObject[];
  return renderResource(nic, {
    resourceGuid: nic.facts.guid,
    ipConfigurations: nic.facts.addresses.map((allocation, index) =>
      renderAllocation(nic, allocation, {
        ...(asked[index]?.properties as JsonObject),
        primary: index === 0,
      }),
    ),
    ...(vm === undefined
      ? {}
      : { virtualMachine: { id: vm.id }, macAddress: nic.facts.macAddress, primary: true }),
  });
}

function renderAllocation(nic: Nic, allocation: Allocation, properties: JsonObject): RenderedAllocation {
  return {
    id: `${nic.id}/ipConfigurations/${allocation.configuration}`,
    name: allocation.configuration,
    type: `${TYPE}/ipConfigurations`,
    properties: {
      ...properties,
      subnet: { id: allocation.subnetId },
      privateIPAddress: allocation.address,
      privateIPAllocationMethod: allocation.method,
      privateIPAddressVersion: 'IPv4',
      provisioningState: 'Succeeded',
    },
  };
}

function newMacAddress(): string {
  const tail = randomBytes(3).toString('hex').toUpperCase();
  return `00-0D-3A-${tail.slice(0, 2)}-${tail.slice(2, 4)}-${tail.slice(4, 6)}`;
}
