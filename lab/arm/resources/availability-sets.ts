import { z } from 'zod';
import type { Answer, ArmRequest } from '../http.ts';
import { ArmError, parseBody } from '../http.ts';
import type { AvailabilitySet, JsonObject, Vm } from '../model.ts';
import type { Simulator } from '../simulator.ts';
import {
  groupIdOf,
  jsonBody,
  listOf,
  renderResource,
  requireLocation,
  requireOf,
  requireWritableGroup,
  resourceBody,
  resourceId,
  sameId,
  tagsOf,
} from './common.ts';
import { findSku, skus } from './skus.ts';
import type { Sku } from './skus.ts';

const TYPE = 'Microsoft.Compute/availabilitySets';
const requireSet = requireOf(TYPE);

const setBody = resourceBody.extend({
  sku: z.looseObject({ name: z.enum(['Aligned', 'Classic']).optional() }).optional(),
  properties: z
    .looseObject({
      platformFaultDomainCount: z.number().int().min(1).max(3).optional(),
      platformUpdateDomainCount: z.number().int().min(1).max(20).optional(),
    })
    .optional(),
});

/** Done at once, as Compute does. */
export function putAvailabilitySet(simulator: Simulator, request: ArmRequest): Answer {
  const body = parseBody(request, setBody);
  requireWritableGroup(simulator, request);
  const id = resourceId(simulator, request, TYPE);
  const existing = simulator.store.find(TYPE, id);
  const set: AvailabilitySet = {
    id: existing?.id ?? id,
    type: TYPE,
    name: existing?.name ?? request.params.name ?? '',
    location: requireLocation(simulator, body.location),
    tags: tagsOf(body.tags),
    state: 'Succeeded',
    body: jsonBody(request),
    facts: {},
  };
  simulator.store.commit([{ put: set }]);
  return { status: 200, json: render(simulator, set) };
}

export function getAvailabilitySet(simulator: Simulator, request: ArmRequest): Answer {
  return { status: 200, json: render(simulator, requireSet(simulator, request)) };
}

export const listAvailabilitySets = listOf(TYPE, (simulator, set) => render(simulator, set));

export function deleteAvailabilitySet(simulator: Simulator, request: ArmRequest): Answer {
  const set = simulator.store.find(TYPE, resourceId(simulator, request, TYPE));
  if (set === undefined) return { status: 204 };
  requireWritableGroup(simulator, request);
  if (membersOf(simulator, set.id).length > 0) {
    throw new ArmError(
      409,
      'OperationNotAllowed',
      `Availability Set '${set.name}' cannot be deleted. Before deleting an Availability Set please ensure that it does not contain any VM.`,
    );
  }
  simulator.store.commit([{ remove: set.id }]);
  return { status: 200 };
}

/** The sizes that a further machine may have. */
export function listSizesOfSet(simulator: Simulator, request: ArmRequest): Answer {
  const set = requireSet(simulator, request);
  const fitting = skus.filter((sku) => sku.isRestricted !== true && fits(simulator, set.id, sku, ''));
  return { status: 200, json: { value: fitting.map(renderSize) } };
}

/** What Compute checks of the set a machine names. @returns the set's id */
export function requireFittingSet(simulator: Simulator, vmId: string, setId: string, sku: Sku): string {
  const set = simulator.store.find(TYPE, setId);
  if (set === undefined) throw new ArmError(404, 'NotFound', `Availability Set ${setId} is not found.`);
  if (groupIdOf(set.id) !== groupIdOf(vmId)) {
    throw new ArmError(
      400,
      'InvalidParameter',
      `The virtual machine ${vmId} and the availability set ${set.id} must be in the same resource group.`,
    );
  }
  if ((set.body.sku as JsonObject | undefined)?.name !== 'Aligned') {
    throw new ArmError(
      409,
      'OperationNotAllowed',
      "Addition of a VM with managed disks to non-managed Availability Set or addition of a VM with blob based disks to managed Availability Set is not supported. Please create an Availability Set with 'Aligned' SKU in order to add a VM with managed disks to it.",
    );
  }
  if (!fits(simulator, set.id, sku, vmId)) {
    throw new ArmError(
      409,
      'AllocationFailed',
      `Allocation failed. The VM size ${sku.name} is not available on the hardware of availability set ${set.id}.`,
    );
  }
  return set.id;
}

export function membersOf(simulator: Simulator, setId: string): Vm[] {
  return simulator.store
    .ofType('Microsoft.Compute/virtualMachines')
    .filter(({ facts }) => facts.availabilitySetId !== null && sameId(facts.availabilitySetId, setId));
}

/** All machines of a set run on hardware of one kind: sizes of one family here. */
function fits(simulator: Simulator, setId: string, sku: Sku, exceptVmId: string): boolean {
  const others = membersOf(simulator, setId).filter(({ id }) => !sameId(id, exceptVmId));
  return others.every(({ facts }) => findSku(facts.size)?.family === sku.family);
}

function render(simulator: Simulator, set: AvailabilitySet): JsonObject {
  const { properties, ...rest } = renderResource(set, {
    virtualMachines: membersOf(simulator, set.id).map(({ id }) => ({ id })),
  });
  const shown = Object.entries(properties as JsonObject).filter(([name]) => name !== 'provisioningState');
  return {
    sku: { name: 'Classic' },
    ...rest,
    properties: { platformFaultDomainCount: 2, platformUpdateDomainCount: 5, ...Object.fromEntries(shown) },
  };
}

function renderSize(sku: Sku): JsonObject {
  return {
    name: sku.name,
    numberOfCores: sku.cores,
    memoryInMB: sku.memoryGiB * 1024,
    maxDataDiskCount: sku.dataDisksMax,
    osDiskSizeInMB: 1_047_552,
    resourceDiskSizeInMB: 0,
  };
}
