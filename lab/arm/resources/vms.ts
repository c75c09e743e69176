import { randomUUID } from 'node:crypto';
import type { Answer, ArmRequest } from '../http.ts';
import { ArmError, parseBody } from '../http.ts';
import type { OperationKind } from '../lro.ts';
import { begun } from '../lro.ts';
import type { JsonObject, Vm } from '../model.ts';
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
  resourceId,
  sameId,
  tagsOf,
} from './common.ts';
import { checkVm, vmBody } from './vm-check.ts';
import { instanceView } from './vm-power.ts';
import { zoneOf } from './zones.ts';

const TYPE = 'Microsoft.Compute/virtualMachines';

const requireVm = requireOf(TYPE);

/** A new VM is accepted as Creating and starting; when its operation ends it is Succeeded and running. */
export function putVm(simulator: Simulator, request: ArmRequest): Answer {
  const body = parseBody(request, vmBody);
  requireWritableGroup(simulator, request);
  const location = requireLocation(simulator, body.location);
  const id = resourceId(simulator, request, TYPE);
  const existing = simulator.store.find(TYPE, id);
  if (existing !== undefined && request.headers['if-none-match'] === '*') {
    throw new ArmError(412, 'PreconditionFailed', `The resource ${id} exists already.`);
  }
  if (existing !== undefined && isSameRequest(existing, request)) {
    const status = existing.state === 'Creating' ? 201 : 200;
    const repeated = answerRepeated(simulator, existing, render(existing), status);
    if (repeated !== null) return repeated;
  }
  if (existing !== undefined) requireIdle(simulator, id);
  const parts = checkVm(simulator, id, body);
  if (existing !== undefined && !sameId(parts.disks[0]?.id ?? '', existing.facts.disks[0]?.id ?? '')) {
    throw new ArmError(
      409,
      'PropertyChangeNotAllowed',
      "Changing property 'osDisk.managedDisk.id' is not allowed.",
    );
  }
  if (existing !== undefined) refuseMove(existing, body.zones, parts.availabilitySetId);
  const now = new Date().toISOString();
  const isNew = existing === undefined;
  const vm: Vm = {
    id: existing?.id ?? id,
    type: TYPE,
    name: existing?.name ?? request.params.name ?? '',
    location,
    tags: tagsOf(body.tags),
    state: isNew ? 'Creating' : 'Updating',
    body: jsonBody(request),
    facts: {
      vmId: existing?.facts.vmId ?? randomUUID(),
      createdAt: existing?.facts.createdAt ?? now,
      power: existing?.facts.power ?? 'starting',
      powerSince: existing?.facts.powerSince ?? now,
      ...parts,
    },
  };
  const operation = simulator.lro.begin({
    kind: isNew || existing.state === 'Failed' ? 'vm.create' : 'resource.settle',
    resourceId: vm.id,
    location,
    provider: 'Microsoft.Compute',
    request,
    durationMs: isNew ? simulator.store.settings.vmStartMs : simulator.store.settings.operationMs,
    changes: [{ put: vm }],
  });
  return begun(simulator, operation, { status: isNew ? 201 : 200, json: render(vm) });
}

function refuseMove(vm: Vm, zones: readonly string[] = [], availabilitySetId: string | null): void {
  const isSameZone = zoneOf(vm) === (zones[0] ?? null);
  const isSameSet = sameId(vm.facts.availabilitySetId ?? '', availabilitySetId ?? '');
  if (isSameZone && isSameSet) return;
  const property = isSameZone ? 'availabilitySet.id' : 'zones';
  throw new ArmError(409, 'PropertyChangeNotAllowed', `Changing property '${property}' is not allowed.`);
}

export const vmCreate: OperationKind = {
  finish: (simulator, operation) => {
    const vm = simulator.store.find(TYPE, operation.resourceId);
    if (vm === undefined) return { changes: [] };
    const facts = { ...vm.facts, power: 'running' as const, powerSince: new Date().toISOString() };
    return { changes: [{ put: { ...vm, state: 'Succeeded', facts } }] };
  },
  fail: (simulator, operation) => {
    const vm = simulator.store.find(TYPE, operation.resourceId);
    if (vm === undefined) return [];
    return [{ put: { ...vm, state: 'Failed', facts: { ...vm.facts, power: 'stopped' } } }];
  },
};

export function getVm(simulator: Simulator, request: ArmRequest): Answer {
  const vm = requireVm(simulator, request);
  return { status: 200, json: render(vm, request.query.get('$expand')) };
}

export function getInstanceView(simulator: Simulator, request: ArmRequest): Answer {
  return { status: 200, json: instanceView(requireVm(simulator, request)) };
}

export const listVms = listOf(TYPE, (_simulator, vm, { query }) =>
  render(vm, query.get('statusOnly') === 'true' ? 'instanceView' : query.get('$expand')),
);

export function render(vm: Vm, expand: string | null = null): JsonObject {
  const withView = expand?.toLowerCase() === 'instanceview' ? { instanceView: instanceView(vm) } : {};
  return renderResource(vm, { vmId: vm.facts.vmId, timeCreated: vm.facts.createdAt, ...withView });
}
